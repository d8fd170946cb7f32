/// An error that is written as XML: the elements that hold nothing but text. A page of HTML is none: who wrote it
/// nobody knows.
struct ErrorMarkup {
    private(set) var leaves: [(name: String, text: String)] = []

    /// More elements than these say nothing more.
    private static let leavesMax = 32

    /// Nil for what is no XML.
    init?(_ document: UnsafeRawBufferPointer) {
        guard let first = document.firstIndex(where: { $0 != 0x20 && !(0x09...0x0D).contains($0) }),
            document[first] == UInt8(ascii: "<")
        else { return nil }
        let isPage = String(decoding: document[first...].prefix(64), as: UTF8.self).lowercased()
        guard !isPage.hasPrefix("<html"), !isPage.hasPrefix("<!doctype") else { return nil }
        var open: (name: ArraySlice<UInt8>, end: Int)?
        var index = first
        while let start = document[index...].firstIndex(of: UInt8(ascii: "<")), leaves.count < Self.leavesMax {
            guard let end = document[start...].firstIndex(of: UInt8(ascii: ">")) else { return }
            index = end + 1
            let tag = Array(document[start + 1..<end])
            guard tag.first == UInt8(ascii: "/") else {
                let isElement = tag.first.map { !"?!".utf8.contains($0) } == true && tag.last != UInt8(ascii: "/")
                open = isElement ? (Self.name(tag[...]), end + 1) : nil
                continue
            }
            if let open, Self.name(tag[1...]) == open.name {
                let text = DecodedText(document[open.end..<start]).bytes.prefix(EngineErrorText.messageBytesMax)
                if !text.isEmpty {
                    let name = String(decoding: open.name, as: UTF8.self).lowercased()
                    leaves.append((name, String(decoding: text, as: UTF8.self)))
                }
            }
            open = nil
        }
    }

    /// The element's name, without what stands before a colon, and without attributes.
    private static func name(_ tag: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let name = tag.prefix { $0 > 0x20 }
        return name.lastIndex(of: UInt8(ascii: ":")).map { name[($0 + 1)...] } ?? name
    }
}
