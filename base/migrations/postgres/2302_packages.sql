-- An order and its end never change.
CREATE TRIGGER package_orders_append_only BEFORE UPDATE OR DELETE ON package_orders
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER package_ends_append_only BEFORE UPDATE OR DELETE ON package_ends
FOR EACH ROW EXECUTE FUNCTION append_only();
