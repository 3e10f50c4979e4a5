-- What was rated never changes; a correction is a new line.
CREATE TRIGGER rated_keys_no_update BEFORE UPDATE ON rated_keys
BEGIN SELECT RAISE(ABORT, 'rated_keys is append-only'); END;
CREATE TRIGGER rated_keys_no_delete BEFORE DELETE ON rated_keys
BEGIN SELECT RAISE(ABORT, 'rated_keys is append-only'); END;
CREATE TRIGGER charges_no_update BEFORE UPDATE ON charges
BEGIN SELECT RAISE(ABORT, 'charges is append-only'); END;
CREATE TRIGGER charges_no_delete BEFORE DELETE ON charges
BEGIN SELECT RAISE(ABORT, 'charges is append-only'); END;
