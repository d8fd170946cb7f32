/// A form as browsers and API clients send files (`multipart/form-data`, RFC 7578).
struct Multipart {
    /// Parts of one form.
    static let partsMax = 64

    struct Part {
        let name: String
        let fileName: String?
        let content: ArraySlice<UInt8>
    }

    let parts: [Part]

    /// Reads the form that a request's body is.
    init(_ exchange: Exchange) throws(EngineError) {
        guard let type = exchange.header("content-type"), type.lowercased().hasPrefix("multipart/form-data"),
            let boundary = Self.parameter("boundary", of: type)
        else { throw .badRequest("send multipart/form-data with a boundary") }
        let delimiter = Array("--\(boundary)".utf8)
        var pieces = exchange.body[...].split(separator: delimiter, maxSplits: Self.partsMax + 1)[...]
        // What stands before the first delimiter is no part; the last "part" are the two dashes of the end.
        if !exchange.body.starts(with: delimiter) { pieces = pieces.dropFirst() }
        guard let last = pieces.last, last.starts(with: Array("--".utf8)) else {
            throw .badRequest("the form has no end, or more than \(Self.partsMax) parts")
        }
        parts = pieces.dropLast().compactMap(Self.part)
    }

    /// The text of a field.
    func text(_ name: String) -> String? {
        parts.first { $0.name == name }.map { String(decoding: $0.content, as: UTF8.self) }
    }

    /// A file.
    func file(_ name: String) -> Part? { parts.first { $0.name == name && $0.fileName != nil } }

    private static func part(_ piece: ArraySlice<UInt8>) -> Part? {
        guard let split = piece.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: piece[..<split.lowerBound], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        guard let disposition = lines.first(where: { $0.lowercased().hasPrefix("content-disposition:") }),
            let name = parameter("name", of: String(disposition))
        else { return nil }
        // The line break before the next delimiter belongs to the delimiter.
        let content = piece[split.upperBound...].dropLast(2)
        return Part(name: name, fileName: parameter("filename", of: String(disposition)), content: content)
    }

    /// A parameter of a header, in quotes or without.
    private static func parameter(_ name: String, of header: String) -> String? {
        for part in header.split(separator: ";") {
            let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, pair[0].lowercased() == name else { continue }
            return String(pair[1].filter { $0 != "\"" })
        }
        return nil
    }
}
