-- Part of 0007_audit.sql. An entry may go only when the anchor has passed it.
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit trail never change');
END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
WHEN OLD.seq > (SELECT anchor_seq FROM audit_head)
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit trail stay until the retention that is set has passed');
END;
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'the audit trail keeps its head');
END;
