public import Invoicing

/// An invoice as a page that one would send to a customer. Drawing takes longer than reading: draw outside a
/// transaction.
public struct InvoicePage: Sendable {
    public let document: InvoiceDocument
    public let standing: InvoiceStatus

    public init(document: InvoiceDocument, standing: InvoiceStatus) {
        self.document = document
        self.standing = standing
    }

    public func html() -> String { InvoiceHTML.render(document, standing: standing) }

    public func pdf() throws -> [UInt8] { try InvoicePDF.render(document, standing: standing) }
}

/// The same of a credit note.
public struct CreditNotePage: Sendable {
    public let document: CreditNoteDocument
    public let standing: CreditNoteStanding

    public init(document: CreditNoteDocument, standing: CreditNoteStanding) {
        self.document = document
        self.standing = standing
    }

    public func html() -> String { InvoiceHTML.render(document, standing: standing) }

    public func pdf() throws -> [UInt8] { try InvoicePDF.render(document, standing: standing) }
}
