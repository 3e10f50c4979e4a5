-- What was told, asked or decided about usage never changes; a correction is a new row.
CREATE TRIGGER usage_facts_append_only BEFORE UPDATE OR DELETE ON usage_facts
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER usage_gaps_append_only BEFORE UPDATE OR DELETE ON usage_gaps
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER usage_gap_answers_append_only BEFORE UPDATE OR DELETE ON usage_gap_answers
FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER usage_rulings_append_only BEFORE UPDATE OR DELETE ON usage_rulings
FOR EACH ROW EXECUTE FUNCTION append_only();
