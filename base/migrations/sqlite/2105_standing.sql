-- What was told, decided and deleted stays as it was.
CREATE TRIGGER standing_warnings_no_update BEFORE UPDATE ON standing_warnings
BEGIN SELECT RAISE(ABORT, 'standing_warnings is append-only'); END;
CREATE TRIGGER standing_warnings_no_delete BEFORE DELETE ON standing_warnings
BEGIN SELECT RAISE(ABORT, 'standing_warnings is append-only'); END;
CREATE TRIGGER standing_guard_no_update BEFORE UPDATE ON standing_guard
BEGIN SELECT RAISE(ABORT, 'standing_guard is append-only'); END;
CREATE TRIGGER standing_guard_no_delete BEFORE DELETE ON standing_guard
BEGIN SELECT RAISE(ABORT, 'standing_guard is append-only'); END;
CREATE TRIGGER reclaims_no_update BEFORE UPDATE ON reclaims
BEGIN SELECT RAISE(ABORT, 'reclaims is append-only'); END;
CREATE TRIGGER reclaims_no_delete BEFORE DELETE ON reclaims
BEGIN SELECT RAISE(ABORT, 'reclaims is append-only'); END;
