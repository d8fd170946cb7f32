import CPangoCairo
import Synchronization

/// How text looks.
struct TextStyle {
    /// Points.
    var size: Double
    var isBold = false
    var color = Palette.ink

    /// Noto Sans covers Latin, Greek and Cyrillic. Two more are named because others have their letters too, less well;
    /// every other script comes from whatever font the machine has for it.
    static let families = "Noto Sans, Noto Sans Arabic, Noto Sans Hebrew, DejaVu Sans, sans-serif"
}

/// The fonts of the process, made when they are first needed and kept.
///
/// Cairo shares the font files that it has opened among threads and does not guard every use of them: two threads that
/// draw at once can crash (seen with Cairo 1.16). Pango's own default, a font map for each thread, is no help. So
/// whoever draws holds this lock from the first measured word to the last page.
enum Fonts {
    private static let map = Mutex<UnsafeMutablePointer<PangoFontMap>?>(nil)

    /// Runs `body` alone in this process.
    static func withEngine<Result: Sendable>(
        _ body: (TextEngine) throws(DocumentError) -> Result,
    ) throws(DocumentError) -> Result {
        try map.withLock { (map) throws(DocumentError) -> Result in
            if map == nil { map = pango_cairo_font_map_new() }
            guard let map else { throw .noFonts }
            return try body(TextEngine(map))
        }
    }
}

/// Measures and shapes text with Pango: one per document.
final class TextEngine {
    fileprivate let context: OpaquePointer

    /// Fails where no font is installed.
    fileprivate init(_ map: UnsafeMutablePointer<PangoFontMap>) throws(DocumentError) {
        guard let context = pango_font_map_create_context(map) else { throw .noFonts }
        self.context = context
        // Not the locale's language: the same document is drawn alike everywhere.
        pango_context_set_language(context, pango_language_from_string(InvoicePresentation.language))
        // Paper has no pixels: glyphs stand where their own measures put them.
        let options = cairo_font_options_create()
        defer { cairo_font_options_destroy(options) }
        cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
        cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
        pango_cairo_context_set_font_options(context, options)
        pango_context_set_round_glyph_positions(context, 0)

        let description = TextEngine.description(TextStyle(size: 10))
        defer { pango_font_description_free(description) }
        guard let font = pango_font_map_load_font(map, context, description) else { throw .noFonts }
        g_object_unref(UnsafeMutableRawPointer(font))
    }

    deinit { g_object_unref(UnsafeMutableRawPointer(context)) }

    fileprivate static func description(_ style: TextStyle) -> OpaquePointer? {
        let description = pango_font_description_new()
        pango_font_description_set_family(description, TextStyle.families)
        pango_font_description_set_weight(description, style.isBold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL)
        pango_font_description_set_absolute_size(description, style.size * Double(PANGO_SCALE))
        return description
    }
}

/// Text that has been shaped and measured and waits for its place. All measures are points.
final class TextBlock {
    enum Alignment {
        case left
        case right
    }

    /// The most lines of one piece of text; a longer one ends in an ellipsis.
    static let linesMax = 12

    let width: Double
    let height: Double
    /// From the top to the first line's base.
    let baseline: Double
    private let layout: OpaquePointer
    private let color: Palette.Color

    /// Wraps at `width`, or stays on one line where there is none.
    init(
        _ text: String, _ style: TextStyle, width: Double? = nil, alignment: Alignment = .left,
        linesMax: Int = TextBlock.linesMax, in engine: TextEngine,
    ) {
        layout = pango_layout_new(engine.context)
        color = style.color
        let text = TextBlock.withoutControls(text)
        pango_layout_set_text(layout, text, -1)
        TextBlock.setFont(style, of: layout)
        if let width {
            pango_layout_set_width(layout, Int32(width * Double(PANGO_SCALE)))
            pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR)
            pango_layout_set_height(layout, -Int32(linesMax))
            pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END)
        }
        // Pango's left is where a line begins. In a column of names it is the left side of the page for all of them.
        let isRightToLeft = TextBlock.isRightToLeft(text, layout)
        pango_layout_set_alignment(
            layout, (alignment == .right) != isRightToLeft ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT)
        let size = TextBlock.size(of: layout)
        self.width = width ?? size.width
        height = size.height
        baseline = Double(pango_layout_get_baseline(layout)) / Double(PANGO_SCALE)
    }

    /// One line, drawn smaller where it is wider than `width`: a number must never lose a digit.
    static func fitted(_ text: String, _ style: TextStyle, width: Double, in engine: TextEngine) -> TextBlock {
        let block = TextBlock(text, style, in: engine)
        guard block.width > width else { return block }
        var smaller = style
        smaller.size *= width / block.width
        return TextBlock(text, smaller, in: engine)
    }

    deinit { g_object_unref(UnsafeMutableRawPointer(layout)) }

    /// Draws with the top left corner at a point of the page.
    func draw(x: Double, y: Double, on cairo: OpaquePointer) {
        cairo.setColor(color)
        cairo_move_to(cairo, x, y)
        pango_cairo_show_layout(cairo, layout)
    }

    /// Fills the outlines of the text: to the eye only, since nobody wants to search for or copy a watermark.
    func drawOutlines(x: Double, y: Double, on cairo: OpaquePointer) {
        cairo.setColor(color)
        cairo_move_to(cairo, x, y)
        pango_cairo_layout_path(cairo, layout)
        cairo_fill(cairo)
    }

    private static func setFont(_ style: TextStyle, of layout: OpaquePointer) {
        let description = TextEngine.description(style)
        pango_layout_set_font_description(layout, description)
        pango_font_description_free(description)
        // Digits of one width, so that columns of numbers stand under each other.
        let attributes = pango_attr_list_new()
        pango_attr_list_insert(attributes, pango_attr_font_features_new("tnum=1"))
        pango_layout_set_attributes(layout, attributes)
        pango_attr_list_unref(attributes)
    }

    /// True where the first letter runs from right to left, and with it the whole paragraph.
    private static func isRightToLeft(_ text: String, _ layout: OpaquePointer) -> Bool {
        guard let letter = text.unicodeScalars.firstIndex(where: \.properties.isAlphabetic) else { return false }
        let offset = text.utf8.distance(from: text.startIndex, to: letter)
        return pango_layout_get_direction(layout, Int32(offset)) == PANGO_DIRECTION_RTL
    }

    private static func size(of layout: OpaquePointer) -> (width: Double, height: Double) {
        var width: Int32 = 0
        var height: Int32 = 0
        pango_layout_get_size(layout, &width, &height)
        return (Double(width) / Double(PANGO_SCALE), Double(height) / Double(PANGO_SCALE))
    }

    /// A NUL would end the text for Pango, and the others have no shape.
    private static func withoutControls(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        let scalars = text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
        return String(String.UnicodeScalarView(scalars))
    }
}

extension OpaquePointer {
    /// The colour of what a Cairo context draws next.
    func setColor(_ color: Palette.Color) {
        cairo_set_source_rgb(self, Double(color.red) / 255, Double(color.green) / 255, Double(color.blue) / 255)
    }
}
