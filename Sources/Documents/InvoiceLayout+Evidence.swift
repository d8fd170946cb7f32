extension InvoiceLayout {
    /// Why each credit is given: what was promised, what was measured, and the worst requests by name.
    func addEvidence(to composer: inout PageComposer) {
        for (index, evidence) in page.evidence.enumerated() {
            var piece = Piece()
            if index == 0 {
                piece.append(text(InvoicePresentation.evidenceTitle, Style.section))
                piece.height += 8
            }
            let title = text(evidence.title, Style.strong)
            let detail = text(evidence.detail, Style.note)
            let top = piece.height
            piece.add(title, y: top)
            if title.width + 8 + detail.width <= Paper.contentWidth {
                piece.add(detail, x: title.width + 8, y: top + title.baseline - detail.baseline)
            } else {
                piece.append(text(evidence.detail, Style.note, width: Paper.contentWidth))
            }
            piece.append(facts(evidence.facts, width: Paper.contentWidth), gap: 3)
            composer.place(piece, gap: index == 0 ? 34 : 20, following: evidence.worst.isEmpty ? 0 : 40)
            addWorst(evidence.worst, to: &composer)
        }
    }

    private func addWorst(_ requests: [InvoicePresentation.MissedRequest], to composer: inout PageComposer) {
        guard !requests.isEmpty else { return }
        let acceptedLeft = 216.0
        let measuredWidth = 130.0
        func line(_ words: [String], _ style: TextStyle) -> Piece {
            var piece = Piece()
            piece.add(TextBlock.fitted(words[0], style, width: acceptedLeft - 12, in: engine), y: 2.5)
            piece.add(text(words[1], style), x: acceptedLeft, y: 2.5)
            let measured = text(words[2], style, width: measuredWidth, alignment: .right)
            piece.add(measured, x: Paper.contentWidth - measuredWidth, y: 2.5)
            piece.height += 2.5
            piece.rule(y: piece.height - 0.5, width: Paper.contentWidth, Palette.hairline)
            return piece
        }
        let head = line(InvoicePresentation.worstColumns, Style.note)
        let small = TextStyle(size: 8)
        let lines = requests.map { line([$0.requestID, $0.acceptedAt, $0.measured], small) }
        composer.place(head, gap: 6, following: lines.first?.height ?? 0)
        for line in lines {
            if !composer.fits(line.height) {
                composer.newPage()
                composer.place(head)
            }
            composer.place(line)
        }
    }
}
