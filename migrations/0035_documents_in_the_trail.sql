-- Reconcile holds the documents of a month against what the audit trail says of that month, and reads nothing else of
-- it.

CREATE INDEX audit_entries_of_invoices ON audit_entries (account_id, (after->>'period_start'))
    WHERE action LIKE 'invoice.%';
CREATE INDEX audit_entries_of_credit_notes ON audit_entries (account_id, (after->>'invoice'))
    WHERE action LIKE 'credit_note.%';
