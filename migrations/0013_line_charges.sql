-- A line says its charge, and kinds are listed in one place (Invoicing.InvoiceLineKind). Documents say which shape they
-- have; those made before keep their bytes.

ALTER TABLE invoices ADD COLUMN document_version integer NOT NULL DEFAULT 1;  -- the N of `tollgate.invoice/N`
ALTER TABLE invoice_lines ADD COLUMN charge text;       -- plan@version/…; NULL on lines made before
ALTER TABLE invoice_lines DROP CONSTRAINT invoice_lines_kind_check;
