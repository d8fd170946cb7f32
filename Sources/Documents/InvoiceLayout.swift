/// Puts an invoice on pages.
struct InvoiceLayout {
    let page: InvoicePresentation
    let engine: TextEngine

    enum Style {
        static let title = TextStyle(size: 22, isBold: true)
        static let brand = TextStyle(size: 12, isBold: true)
        static let headline = TextStyle(size: 16, isBold: true, color: Palette.accent)
        static let headlineDetail = TextStyle(size: 16)
        static let section = TextStyle(size: 12, isBold: true)
        static let body = TextStyle(size: 9)
        static let strong = TextStyle(size: 9, isBold: true)
        static let label = TextStyle(size: 9, color: Palette.muted)
        static let note = TextStyle(size: 7.5, color: Palette.muted)
        static let continued = TextStyle(size: 7.5, isBold: true, color: Palette.muted)
        static let status = TextStyle(size: 8.5, color: Palette.accent)
        static let total = TextStyle(size: 11, isBold: true)
    }

    init(_ page: InvoicePresentation, _ engine: TextEngine) {
        self.page = page
        self.engine = engine
    }

    func pages() -> [[Mark]] {
        var composer = PageComposer()
        for notice in page.notices { composer.place(self.notice(notice)) }
        composer.place(header(), gap: page.notices.isEmpty ? 0 : 22)
        composer.place(parties(), gap: 26)
        composer.place(headline(), gap: 32)
        composer.skip(20)
        addTable(to: &composer)
        composer.place(totals(), gap: 14)
        addPayment(to: &composer)
        addEvidence(to: &composer)
        addFooters(to: &composer)
        return composer.pages
    }

    func text(
        _ words: String, _ style: TextStyle, width: Double? = nil, alignment: TextBlock.Alignment = .left,
    ) -> TextBlock {
        TextBlock(words, style, width: width, alignment: alignment, in: engine)
    }

    private func notice(_ words: String) -> Piece {
        let block = text(words, Style.body, width: Paper.contentWidth - 24)
        let height = block.height + 14
        var piece = Piece(
            marks: [
                .rectangle(x: 0, y: 0, width: Paper.contentWidth, height: height, Palette.wash),
                .rectangle(x: 0, y: 0, width: 2.5, height: height, Palette.accent),
            ], height: height)
        piece.add(block, x: 12, y: 7)
        piece.height += 6
        return piece
    }

    private func header() -> Piece {
        var piece = Piece()
        let title = text(page.title, Style.title)
        piece.add(title, y: 0)
        if let status = page.status {
            let word = text(status, Style.status)
            let x = title.width + 14
            let y = title.baseline - 7 - word.height / 2
            piece.marks.append(
                .pill(x: x, y: y - 2.5, width: word.width + 18, height: word.height + 5, Palette.accent))
            piece.add(word, x: x + 9, y: y)
        }
        let brandLeft = Paper.contentWidth * 0.6
        let brand = text(page.seller.name, Style.brand, width: Paper.contentWidth - brandLeft, alignment: .right)
        piece.add(brand, x: brandLeft, y: title.baseline - brand.baseline)
        piece.append(facts(page.facts, width: Paper.contentWidth), gap: 12)
        return piece
    }

    /// Labels on the left, values beside them.
    func facts(_ facts: [InvoicePresentation.Fact], width: Double, labelWidth: Double = 96) -> Piece {
        var piece = Piece()
        for fact in facts {
            let label = text(fact.label, Style.label, width: labelWidth - 8)
            let value = text(fact.value, Style.body, width: width - labelWidth)
            let top = piece.height + 1
            let base = max(label.baseline, value.baseline)
            piece.add(label, y: top + base - label.baseline)
            piece.add(value, x: labelWidth, y: top + base - value.baseline)
        }
        return piece
    }

    private func parties() -> Piece {
        let columnWidth = (Paper.contentWidth - 32) / 2
        var piece = Piece()
        for (index, party) in [page.seller, page.customer].enumerated() {
            var column = Piece()
            column.append(text(party.label, Style.label, width: columnWidth))
            column.append(text(party.name, Style.strong, width: columnWidth), gap: 2)
            for line in party.lines { column.append(text(line, Style.body, width: columnWidth), gap: 1) }
            piece.marks += column.moved(x: Double(index) * (columnWidth + 32), y: 0)
            piece.height = max(piece.height, column.height)
        }
        return piece
    }

    private func headline() -> Piece {
        var piece = Piece()
        let amount = text(page.headline, Style.headline)
        piece.add(amount, y: 0)
        let detail = text(page.headlineDetail, Style.headlineDetail)
        if amount.width + 6 + detail.width <= Paper.contentWidth {
            piece.add(detail, x: amount.width + 6, y: amount.baseline - detail.baseline)
        } else {
            piece.append(detail)
        }
        return piece
    }

    private func totals() -> Piece {
        let width = 250.0
        let left = Paper.contentWidth - width
        var piece = Piece()
        for (index, total) in page.totals.enumerated() {
            let isLast = index == page.totals.count - 1
            if isLast {
                piece.height += 6
                piece.rule(x: left, y: piece.height, width: width, thickness: 0.75, Palette.ink)
                piece.height += 6
            }
            let style = isLast ? Style.total : Style.body
            let label = text(total.label, style)
            let value = TextBlock.fitted(total.value, style, width: width - label.width - 12, in: engine)
            let top = piece.height + 2
            piece.add(label, x: left, y: top)
            piece.add(value, x: Paper.contentWidth - value.width, y: top + label.baseline - value.baseline)
        }
        for note in page.totalNotes {
            piece.append(
                text(note, Style.note, width: Paper.contentWidth * 0.7, alignment: .right),
                x: Paper.contentWidth * 0.3, gap: 3)
        }
        return piece
    }

    private func addPayment(to composer: inout PageComposer) {
        guard !page.payment.isEmpty else { return }
        let paragraphs = page.payment.map { text($0, Style.body, width: Paper.contentWidth) }
        var heading = Piece()
        heading.append(text(page.paymentTitle, Style.section))
        heading.height += 3
        composer.place(heading, gap: 30, following: paragraphs.reduce(0) { $0 + $1.height + 2 })
        for paragraph in paragraphs {
            var piece = Piece()
            piece.append(paragraph)
            composer.place(piece, gap: 2)
        }
    }

    /// On every page: what it belongs to, and its number.
    private func addFooters(to composer: inout PageComposer) {
        let count = composer.pages.count
        for index in composer.pages.indices {
            var footer = Piece()
            footer.rule(y: -8, width: Paper.contentWidth, Palette.hairline)
            footer.add(text(page.reference, Style.note), y: 0)
            let number = text("Page \(index + 1) of \(count)", Style.note)
            footer.add(number, x: Paper.contentWidth - number.width, y: 0)
            composer.add(footer, x: Paper.left, y: Paper.footerTop, toPage: index)
            let bar = Piece(marks: [.rectangle(x: 0, y: 0, width: Paper.width, height: 4, Palette.accent)])
            if index == 0 { composer.add(bar, x: 0, y: 0, toPage: index) }
        }
    }
}
