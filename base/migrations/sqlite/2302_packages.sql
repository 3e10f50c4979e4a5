-- An order and its end never change.
CREATE TRIGGER package_orders_no_update BEFORE UPDATE ON package_orders
BEGIN SELECT RAISE(ABORT, 'package_orders is append-only'); END;
CREATE TRIGGER package_orders_no_delete BEFORE DELETE ON package_orders
BEGIN SELECT RAISE(ABORT, 'package_orders is append-only'); END;
CREATE TRIGGER package_ends_no_update BEFORE UPDATE ON package_ends
BEGIN SELECT RAISE(ABORT, 'package_ends is append-only'); END;
CREATE TRIGGER package_ends_no_delete BEFORE DELETE ON package_ends
BEGIN SELECT RAISE(ABORT, 'package_ends is append-only'); END;
