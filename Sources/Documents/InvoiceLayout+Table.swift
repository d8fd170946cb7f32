extension InvoiceLayout {
    /// Right edges of the columns of numbers and the width of each, from the content's left side.
    private enum Column {
        static let descriptionWidth = 216.0
        static let quantity = (right: 308.0, width: 84.0)
        static let unitPrice = (right: 388.0, width: 72.0)
        static let amount = (right: Paper.contentWidth, width: Paper.contentWidth - 396)
    }

    private struct TableItem {
        var piece: Piece
        var gap = 0.0
        /// Headings do not stand alone at the end of a page.
        var staysWithNext = false
        /// What is repeated above it when it comes first on a page; nil on a group's own heading.
        var continued: String?
    }

    /// The lines: headings and rows, with the table's head on every page.
    func addTable(to composer: inout PageComposer) {
        let head = tableHead()
        let items = page.groups.flatMap(self.items)
        composer.place(head, following: items.prefix(4).reduce(0) { $0 + $1.gap + $1.piece.height })
        for (index, item) in items.enumerated() {
            var needed = item.gap + item.piece.height
            for (heading, following) in zip(items[index...], items[index...].dropFirst()) {
                guard heading.staysWithNext else { break }
                needed += following.gap + following.piece.height
            }
            if !composer.fits(needed) {
                composer.newPage()
                composer.place(head)
                if let title = item.continued { composer.place(continuation(title), gap: 8) }
            }
            composer.place(item.piece, gap: item.gap)
        }
    }

    private func items(of group: InvoicePresentation.Group) -> [TableItem] {
        var items = [
            TableItem(
                piece: heading(group.title, Style.section, group.detail), gap: 16, staysWithNext: true)
        ]
        for block in group.blocks {
            let context = [group.title, block.title, block.detail].compactMap(\.self).joined(separator: " · ")
            if let title = block.title {
                items.append(
                    TableItem(
                        piece: heading(title, Style.strong, block.detail), gap: 9, staysWithNext: true,
                        continued: group.title))
            }
            for (index, row) in block.rows.enumerated() {
                let isFirstWithoutTitle = index == 0 && block.title == nil
                items.append(
                    TableItem(piece: self.row(row), gap: isFirstWithoutTitle ? 3 : 0, continued: context))
            }
        }
        return items
    }

    private func tableHead() -> Piece {
        var piece = Piece()
        let columns = page.columns
        piece.add(text(columns.description, Style.note), y: 0)
        for (words, column) in [
            (columns.quantity, Column.quantity), (columns.unitPrice, Column.unitPrice), (columns.amount, Column.amount),
        ] {
            let head = TextBlock.fitted(words, Style.note, width: column.width, in: engine)
            piece.add(head, x: column.right - head.width, y: 0)
        }
        piece.height += 4
        piece.rule(y: piece.height, width: Paper.contentWidth, thickness: 0.75, Palette.ink)
        piece.height += 1
        return piece
    }

    /// A name, and beside it or below what it is.
    private func heading(_ title: String, _ style: TextStyle, _ detail: String?) -> Piece {
        var piece = Piece()
        var name = text(title, style)
        let detail = detail.map { text($0, Style.note) }
        let detailWidth = detail.map { $0.width + 8 } ?? 0
        if name.width + detailWidth <= Paper.contentWidth {
            piece.add(name, y: 0)
            if let detail { piece.add(detail, x: name.width + 8, y: name.baseline - detail.baseline) }
        } else {
            name = text(title, style, width: Paper.contentWidth)
            piece.add(name, y: 0)
            if let words = detail { piece.append(words) }
        }
        piece.height += 2
        return piece
    }

    /// Says at the top of a page what its first rows belong to. At most two lines: who needs more looks a page back.
    private func continuation(_ title: String) -> Piece {
        let suffix = text("continued", Style.note)
        let room = Paper.contentWidth - suffix.width - 6
        let name = TextBlock(title, Style.continued, width: room, linesMax: 2, in: engine)
        var piece = Piece()
        piece.add(name, y: 0)
        piece.add(suffix, x: Paper.contentWidth - suffix.width, y: name.baseline - suffix.baseline)
        piece.height += 2
        return piece
    }

    private func row(_ row: InvoicePresentation.Row) -> Piece {
        var piece = Piece()
        let top = 4.0
        // A row without quantity and price has their room for its words.
        let hasNumbers = row.quantity != nil || row.unitPrice != nil
        let width = hasNumbers ? Column.descriptionWidth : Column.unitPrice.right
        let title = text(row.title, Style.body, width: width)
        let cells = [
            (row.quantity, Column.quantity), (row.unitPrice, Column.unitPrice), (row.amount, Column.amount),
        ].compactMap { words, column in
            words.map { (TextBlock.fitted($0, Style.body, width: column.width, in: engine), column.right) }
        }
        let base = top + max(title.baseline, cells.map(\.0.baseline).max() ?? 0)
        piece.add(title, y: base - title.baseline)
        for (cell, right) in cells { piece.add(cell, x: right - cell.width, y: base - cell.baseline) }
        if let note = row.note {
            let block = text(note, Style.note, width: width)
            piece.add(block, y: base - title.baseline + title.height)
        }
        piece.height += 4
        piece.rule(y: piece.height - 0.5, width: Paper.contentWidth, Palette.hairline)
        return piece
    }
}
