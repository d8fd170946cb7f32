import CPangoCairo
import Identity
public import Invoicing

/// The invoice as a PDF on A4. Every script that the machine has a font for is shaped as it is written.
public enum InvoicePDF {
    /// The most pages of one document; some hundred times what a large invoice needs.
    public static let pagesMax = 1000

    /// Draws the document. Equal arguments give equal bytes on machines with the same fonts and libraries: the creation
    /// date in the file is the day of issue, on a draft the period's last day. Without a standing, it is the one that
    /// the document alone tells: a draft where it has no number, waiting for payment otherwise.
    ///
    /// It takes milliseconds. A process draws one document at a time; a caller waits for its turn.
    public static func render(
        _ document: InvoiceDocument, standing: InvoiceStatus? = nil,
    ) throws(DocumentError) -> [UInt8] {
        try render(InvoicePresentation(document, standing: standing ?? InvoiceStatus(of: document)))
    }

    /// The same of a credit note.
    public static func render(
        _ note: CreditNoteDocument, standing: CreditNoteStanding
    ) throws(DocumentError) -> [UInt8] {
        try render(InvoicePresentation(note, standing: standing))
    }

    private static func render(_ page: InvoicePresentation) throws(DocumentError) -> [UInt8] {
        try Fonts.withEngine { (engine) throws(DocumentError) -> [UInt8] in
            let pages = InvoiceLayout(page, engine).pages()
            guard pages.count <= pagesMax else { throw .tooManyPages(pages.count) }
            let watermark = page.watermark.map {
                TextBlock($0, TextStyle(size: 150, isBold: true, color: Palette.watermark), in: engine)
            }
            return try draw(pages, watermark: watermark, metadata: Metadata(page))
        }
    }

    /// What a viewer shows about the file.
    struct Metadata {
        var title: String
        var author: String
        var subject: String
        /// ISO 8601.
        var created: String

        init(_ page: InvoicePresentation) {
            title = "\(page.title) \(page.reference)"
            author = page.seller.name
            subject = page.headline
            // Cairo would take the present time in place of a day that it cannot read.
            created = (CivilDate(page.day).map { "\($0)" } ?? "1970-01-01") + "T00:00:00Z"
        }
    }

    private final class ByteSink {
        var bytes: [UInt8] = []
    }

    private static func draw(
        _ pages: [[Mark]], watermark: TextBlock?, metadata: Metadata,
    ) throws(DocumentError) -> [UInt8] {
        let sink = ByteSink()
        let surface = cairo_pdf_surface_create_for_stream(
            { sink, data, length in
                guard let sink, let data else { return CAIRO_STATUS_WRITE_ERROR }
                Unmanaged<ByteSink>.fromOpaque(sink).takeUnretainedValue().bytes
                    .append(contentsOf: UnsafeBufferPointer(start: data, count: Int(length)))
                return CAIRO_STATUS_SUCCESS
            }, Unmanaged.passUnretained(sink).toOpaque(), Paper.width, Paper.height)
        defer { cairo_surface_destroy(surface) }
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, metadata.title)
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_AUTHOR, metadata.author)
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_SUBJECT, metadata.subject)
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "Tollgate")
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, metadata.created)
        guard let cairo = cairo_create(surface) else { throw .drawing("Cairo made no drawing context") }
        defer { cairo_destroy(cairo) }
        for marks in pages {
            if let watermark { draw(watermark, on: cairo) }
            for mark in marks { mark.draw(on: cairo) }
            cairo_show_page(cairo)
        }
        try check(cairo_status(cairo))
        cairo_surface_finish(surface)
        try check(cairo_surface_status(surface))
        return withExtendedLifetime(sink) { sink.bytes }
    }

    /// Across the page, behind everything.
    private static func draw(_ watermark: TextBlock, on cairo: OpaquePointer) {
        cairo_save(cairo)
        cairo_translate(cairo, Paper.width / 2, Paper.height / 2)
        cairo_rotate(cairo, -.pi / 4)
        watermark.drawOutlines(x: -watermark.width / 2, y: -watermark.height / 2, on: cairo)
        cairo_restore(cairo)
    }

    private static func check(_ status: cairo_status_t) throws(DocumentError) {
        guard status != CAIRO_STATUS_SUCCESS else { return }
        throw .drawing(cairo_status_to_string(status).map { String(cString: $0) } ?? "unknown reason")
    }
}
