/// Tokens that are found in a text before anything else is done with it, the leftmost first, of those the longest.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        let content: [UInt8]
        let id: UInt32
        /// Whether it takes the white space before it.
        let stripsLeft: Bool
        /// Whether it takes the white space after it.
        let stripsRight: Bool
    }

    /// A stretch of text, or a token in it.
    struct Piece {
        /// Nil for text between tokens.
        let id: UInt32?
        let range: Range<Int>
    }

    private let tokens: [Token]
    /// Positions in `tokens` by the content's first byte, the longest content first.
    private let byFirstByte: [[Int]]

    init(_ tokens: [Token]) {
        self.tokens = tokens
        var byFirstByte = [[Int]](repeating: [], count: 256)
        for (position, token) in tokens.enumerated() { byFirstByte[Int(token.content[0])].append(position) }
        self.byFirstByte = byFirstByte.map { positions in
            positions.sorted { tokens[$0].content.count > tokens[$1].content.count }
        }
    }

    var isEmpty: Bool { tokens.isEmpty }

    /// Whether a token may reach over a space that follows something else.
    var reachOverSpaces: Bool {
        tokens.contains { token in
            token.stripsRight || zip(token.content, token.content.dropFirst()).contains { $0 != 0x20 && $1 == 0x20 }
        }
    }

    /// The text cut at its tokens. Empty for an empty text.
    func pieces(of text: UnsafeBufferPointer<UInt8>) -> [Piece] {
        var pieces: [Piece] = []
        var plainStart = 0
        var offset = 0
        while offset < text.count {
            guard let token = token(in: text, at: offset) else {
                offset += 1
                continue
            }
            var start = offset
            offset += token.content.count
            var end = offset
            if token.stripsLeft { start = max(spaceStart(text, before: start), plainStart) }
            if token.stripsRight { end = spaceEnd(text, from: end) }
            if plainStart < start { pieces.append(Piece(id: nil, range: plainStart..<start)) }
            pieces.append(Piece(id: token.id, range: start..<end))
            plainStart = end
        }
        if plainStart < text.count { pieces.append(Piece(id: nil, range: plainStart..<text.count)) }
        return pieces
    }

    private func token(in text: UnsafeBufferPointer<UInt8>, at offset: Int) -> Token? {
        for position in byFirstByte[Int(text[offset])] {
            let content = tokens[position].content
            guard content.count <= text.count - offset else { continue }
            var length = 1
            while length < content.count, text[offset + length] == content[length] { length += 1 }
            if length == content.count { return tokens[position] }
        }
        return nil
    }

    private func spaceStart(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Int {
        var start = end
        while start > 0 {
            let scalar = scalarStart(text, before: start)
            guard ScalarClass(decodedScalar(text, at: scalar).value).isSpace else { break }
            start = scalar
        }
        return start
    }

    private func spaceEnd(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var end = start
        while end < text.count {
            let (value, length) = decodedScalar(text, at: end)
            guard ScalarClass(value).isSpace else { break }
            end += length
        }
        return end
    }
}

/// Where the scalar begins that ends at `end`.
func scalarStart(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Int {
    var start = end - 1
    while start > 0, end - start < 4, text[start] & 0xC0 == 0x80 { start -= 1 }
    return start
}
