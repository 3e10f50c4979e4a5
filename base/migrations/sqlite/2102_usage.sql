-- What was told, asked or decided about usage never changes; a correction is a new row.
CREATE TRIGGER usage_facts_no_update BEFORE UPDATE ON usage_facts
BEGIN SELECT RAISE(ABORT, 'usage_facts is append-only'); END;
CREATE TRIGGER usage_facts_no_delete BEFORE DELETE ON usage_facts
BEGIN SELECT RAISE(ABORT, 'usage_facts is append-only'); END;
CREATE TRIGGER usage_gaps_no_update BEFORE UPDATE ON usage_gaps
BEGIN SELECT RAISE(ABORT, 'usage_gaps is append-only'); END;
CREATE TRIGGER usage_gaps_no_delete BEFORE DELETE ON usage_gaps
BEGIN SELECT RAISE(ABORT, 'usage_gaps is append-only'); END;
CREATE TRIGGER usage_gap_answers_no_update BEFORE UPDATE ON usage_gap_answers
BEGIN SELECT RAISE(ABORT, 'usage_gap_answers is append-only'); END;
CREATE TRIGGER usage_gap_answers_no_delete BEFORE DELETE ON usage_gap_answers
BEGIN SELECT RAISE(ABORT, 'usage_gap_answers is append-only'); END;
CREATE TRIGGER usage_rulings_no_update BEFORE UPDATE ON usage_rulings
BEGIN SELECT RAISE(ABORT, 'usage_rulings is append-only'); END;
CREATE TRIGGER usage_rulings_no_delete BEFORE DELETE ON usage_rulings
BEGIN SELECT RAISE(ABORT, 'usage_rulings is append-only'); END;
