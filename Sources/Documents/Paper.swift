import CPangoCairo

/// A4 and its margins, in points.
enum Paper {
    static let width = 595.276
    static let height = 841.89
    static let left = 56.0
    static let right = width - 56
    static let top = 56.0
    /// Where the content ends.
    static let bottom = height - 72
    static let contentWidth = right - left
    /// The top of the line with the page's number.
    static let footerTop = height - 46
}

/// Something drawn on a page.
enum Mark {
    case text(TextBlock, x: Double, y: Double)
    case rectangle(x: Double, y: Double, width: Double, height: Double, Palette.Color)
    /// The outline of a pill, around a short word.
    case pill(x: Double, y: Double, width: Double, height: Double, Palette.Color)

    func draw(on cairo: OpaquePointer) {
        switch self {
        case .text(let block, let x, let y):
            block.draw(x: x, y: y, on: cairo)
        case .rectangle(let x, let y, let width, let height, let color):
            cairo.setColor(color)
            cairo_rectangle(cairo, x, y, width, height)
            cairo_fill(cairo)
        case .pill(let x, let y, let width, let height, let color):
            let radius = height / 2
            cairo.setColor(color)
            cairo_set_line_width(cairo, 0.75)
            cairo_new_sub_path(cairo)
            cairo_arc(cairo, x + width - radius, y + radius, radius, -.pi / 2, .pi / 2)
            cairo_arc(cairo, x + radius, y + radius, radius, .pi / 2, .pi * 1.5)
            cairo_close_path(cairo)
            cairo_stroke(cairo)
        }
    }
}

/// A piece of content with a height, placed by its top left corner. Its marks count from there.
struct Piece {
    var marks: [Mark] = []
    var height = 0.0

    mutating func add(_ block: TextBlock, x: Double = 0, y: Double) {
        marks.append(.text(block, x: x, y: y))
        height = max(height, y + block.height)
    }

    /// Below what is there.
    mutating func append(_ block: TextBlock, x: Double = 0, gap: Double = 0) {
        add(block, x: x, y: height + gap)
    }

    mutating func append(_ piece: Piece, x: Double = 0, gap: Double = 0) {
        let top = height + gap
        marks += piece.moved(x: x, y: top)
        height = top + piece.height
    }

    /// A horizontal rule; it takes no height.
    mutating func rule(x: Double = 0, y: Double, width: Double, thickness: Double = 0.5, _ color: Palette.Color) {
        marks.append(.rectangle(x: x, y: y, width: width, height: thickness, color))
    }

    /// The marks, counted from the page's corner.
    func moved(x dx: Double, y dy: Double) -> [Mark] {
        marks.map { mark in
            switch mark {
            case .text(let block, let x, let y): .text(block, x: x + dx, y: y + dy)
            case .rectangle(let x, let y, let width, let height, let color):
                .rectangle(x: x + dx, y: y + dy, width: width, height: height, color)
            case .pill(let x, let y, let width, let height, let color):
                .pill(x: x + dx, y: y + dy, width: width, height: height, color)
            }
        }
    }
}

/// Fills pages from top to bottom.
struct PageComposer {
    private(set) var pages: [[Mark]] = [[]]
    private var y = Paper.top

    /// True where nothing is on the page yet.
    private var isAtTop: Bool { y == Paper.top }

    func fits(_ height: Double) -> Bool { isAtTop || y + height <= Paper.bottom }

    mutating func newPage() {
        pages.append([])
        y = Paper.top
    }

    mutating func skip(_ height: Double) {
        if !isAtTop { y += height }
    }

    /// Places a piece after `gap`; on the next page where it, with `following` below it, does not fit any more.
    mutating func place(_ piece: Piece, gap: Double = 0, following: Double = 0) {
        if !fits(gap + piece.height + following) { newPage() }
        skip(gap)
        pages[pages.count - 1] += piece.moved(x: Paper.left, y: y)
        y += piece.height
    }

    /// Adds marks to a page, counted from the page's corner.
    mutating func add(_ piece: Piece, x: Double, y: Double, toPage page: Int) {
        pages[page] += piece.moved(x: x, y: y)
    }
}
