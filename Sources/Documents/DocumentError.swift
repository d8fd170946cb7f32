/// Why a document could not be drawn.
public enum DocumentError: Error, Hashable, Sendable {
    /// No font at all is installed, so no text can be drawn.
    case noFonts
    /// More pages than `InvoicePDF.pagesMax`.
    case tooManyPages(Int)
    /// Cairo could not draw; its own words.
    case drawing(String)
}

extension DocumentError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noFonts:
            "no fonts are installed, so the PDF cannot be drawn: install fonts-noto-core (or any TrueType font) and "
                + "see that `fc-list` names it"
        case .tooManyPages(let count):
            "the invoice needs \(count) pages; at most \(InvoicePDF.pagesMax) are drawn: use the JSON document"
        case .drawing(let words):
            "the PDF could not be drawn: \(words)"
        }
    }
}
