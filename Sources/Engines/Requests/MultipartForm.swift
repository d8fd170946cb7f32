internal import Metering

/// Reads the small parts of a `multipart/form-data` body (RFC 7578) where they stand; the file is only passed over.
enum MultipartForm {
    /// Parts that a form may have.
    static let partsMax = 64
    /// The longest head of a part.
    static let headBytesMax = 4096
    /// The longest value of a part that is read.
    static let valueBytesMax = 64 * 1024

    static func isForm(_ body: UnsafeRawBufferPointer, contentType: String?) -> Bool {
        guard let contentType else { return body.hasBytes("--", at: 0) }
        return contentType.lowercased().hasPrefix("multipart/form-data")
    }

    static func read(
        _ body: UnsafeRawBufferPointer, contentType: String?, into request: inout InferenceRequest
    ) throws(ReadingError) {
        let boundary = try boundary(of: body, contentType: contentType)
        request.body = .form(boundary: boundary)
        let table = RequestField.table(for: request.surface)
        var seen: Set<String> = []
        try eachPart(of: body, boundary: boundary) { head, value throws(ReadingError) in
            try read(head, value, of: body, table, &seen, into: &request)
        }
    }

    /// Shows one part after the other: its head, and where its value stands.
    private static func eachPart(
        of body: UnsafeRawBufferPointer, boundary: String,
        _ take: (Head, Range<Int>) throws(ReadingError) -> Void
    ) throws(ReadingError) {
        let delimiter = Array("--\(boundary)".utf8)
        guard body.hasBytes(delimiter, at: 0) else {
            throw malformed("does not begin with its boundary")
        }
        var offset = delimiter.count
        for _ in 0..<partsMax {
            if body.hasBytes("--", at: offset) { return }
            guard body.hasBytes("\r\n", at: offset) else { throw malformed("has a boundary without a line end") }
            let head = try head(of: body, from: offset + 2)
            guard let end = body.firstIndex(of: delimiter, afterLineEndFrom: head.end - 2) else {
                throw malformed("ends within a part")
            }
            try take(head, head.end..<max(head.end, end))
            offset = end + 2 + delimiter.count
        }
        throw malformed("has more than \(partsMax) parts")
    }

    /// All parts of a form, where they stand.
    static func parts(
        of body: UnsafeRawBufferPointer, contentType: String
    ) throws(ReadingError) -> [FormPart] {
        guard isForm(body, contentType: contentType) else { throw malformed("says that it is something else") }
        var parts: [FormPart] = []
        try eachPart(of: body, boundary: try boundary(of: body, contentType: contentType)) {
            head, value throws(ReadingError) in
            guard !parts.contains(where: { $0.name == head.name }) else { throw .givenTwice(head.name) }
            parts.append(FormPart(name: head.name, isFile: head.isFile, fileName: head.fileName, value: value))
        }
        return parts
    }

    private static func read(
        _ head: Head, _ value: Range<Int>, of body: UnsafeRawBufferPointer, _ table: [RequestField],
        _ seen: inout Set<String>, into request: inout InferenceRequest
    ) throws(ReadingError) {
        if head.name == "file" {
            guard seen.insert(head.name).inserted else { throw .givenTwice(head.name) }
            request.bodyMeasures = RequestMeasures(soundFile: body.part(value))
            return
        }
        guard let field = table.first(where: { $0.name.description == head.name }) else {
            let lowered = head.name.lowercased()
            if let other = table.first(where: { $0.name.description == lowered }) {
                throw .otherCase(other.name.description)
            }
            return
        }
        guard seen.insert(head.name).inserted else { throw .givenTwice(head.name) }
        guard !head.isFile, value.count <= valueBytesMax, UTF8Check.isValid(body.part(value)) else {
            throw .wrongType(head.name, "a short text")
        }
        let text = String(decoding: body[value], as: UTF8.self)
        switch field.role {
        case .model:
            request.model = text
            request.modelRange = value
        case .stream:
            // Forms have no booleans; this is how servers in Python read one.
            switch text.lowercased() {
            case "true", "1", "on", "yes", "t", "y": request.isStream = true
            case "false", "0", "off", "no", "f", "n", "": request.isStream = false
            default: throw .wrongType(head.name, "a boolean")
            }
        case .responseFormat: request.responseFormat = text
        case .text: request.promptTextBytes += Int64(value.count)
        case .usageOption:
            request.usageOptions.flags[head.name] = InferenceRequest.Flag(
                range: value, isTrue: text.lowercased() == "true")
        default: break
        }
    }

    // MARK: Heads

    private struct Head {
        var name: String
        var isFile: Bool
        var fileName: String?
        /// Where the value begins.
        var end: Int
    }

    private static func head(of body: UnsafeRawBufferPointer, from start: Int) throws(ReadingError) -> Head {
        var head = Head(name: "", isFile: false, end: 0)
        var isNamed = false
        var line = start
        while line - start <= headBytesMax {
            let end = body.firstIndexOfLineEnd(from: line)
            guard body.hasBytes("\r\n", at: end) else { throw malformed("has a part without a head") }
            if end == line {
                guard isNamed else { throw malformed("has a part without a name") }
                head.end = end + 2
                return head
            }
            let text = String(decoding: body[line..<end], as: UTF8.self)
            if text.lowercased().hasPrefix("content-disposition:") {
                guard !isNamed else { throw malformed("has a part with two names") }
                let parameters = HeaderParameters(text.dropFirst("content-disposition:".count))
                guard let name = parameters.values["name"], !parameters.isRepeated else {
                    throw malformed("has a part without a name of its own")
                }
                isNamed = true
                head.name = name
                head.fileName = parameters.values["filename"]
                head.isFile = parameters.values["filename"] != nil || parameters.values["filename*"] != nil
            }
            line = end + 2
        }
        throw malformed("has a part with a head longer than \(headBytesMax) bytes")
    }

    private static func boundary(
        of body: UnsafeRawBufferPointer, contentType: String?
    ) throws(ReadingError) -> String {
        if let contentType {
            let parameters = HeaderParameters(contentType[...])
            guard let boundary = parameters.values["boundary"], (1...70).contains(boundary.utf8.count),
                !parameters.isRepeated
            else { throw malformed("needs a boundary of 1 to 70 characters in its content-type") }
            return boundary
        }
        let end = body.firstIndexOfLineEnd(from: 0)
        guard (3...72).contains(end), body.hasBytes("--", at: 0) else { throw malformed("has no boundary") }
        return String(decoding: body[2..<end], as: UTF8.self)
    }

    private static func malformed(_ problem: String) -> ReadingError {
        .refused(
            RequestError(message: "The body is no multipart/form-data: it \(problem).", code: "invalid_multipart"))
    }
}

/// The parameters behind a header's value, their names in lower case.
private struct HeaderParameters {
    private(set) var values: [String: String] = [:]
    /// Whether one is there twice: two readers could choose differently.
    private(set) var isRepeated = false

    init(_ text: Substring) {
        var bytes = Array(text.utf8)[...]
        guard let first = bytes.firstIndex(of: UInt8(ascii: ";")) else { return }
        bytes = bytes[first...]
        while let start = bytes.firstIndex(where: { $0 != UInt8(ascii: ";") && $0 != 0x20 && $0 != 0x09 }) {
            bytes = bytes[start...]
            let nameEnd = bytes.firstIndex { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ";") } ?? bytes.endIndex
            let name = String(decoding: bytes[..<nameEnd], as: UTF8.self).lowercased()
            var value: [UInt8] = []
            bytes = bytes[nameEnd...]
            if bytes.first == UInt8(ascii: "=") {
                bytes = bytes.dropFirst()
                if bytes.first == UInt8(ascii: "\"") {
                    bytes = bytes.dropFirst()
                    while let byte = bytes.first, byte != UInt8(ascii: "\"") {
                        if byte == UInt8(ascii: "\\"), bytes.count > 1 { bytes = bytes.dropFirst() }
                        value.append(bytes[bytes.startIndex])
                        bytes = bytes.dropFirst()
                    }
                    bytes = bytes.dropFirst()
                } else {
                    while let byte = bytes.first, byte != UInt8(ascii: ";"), byte != 0x20 {
                        value.append(byte)
                        bytes = bytes.dropFirst()
                    }
                }
            }
            isRepeated = isRepeated || values[name] != nil
            values[name] = String(decoding: value, as: UTF8.self)
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func hasBytes(_ text: [UInt8], at offset: Int) -> Bool {
        offset >= 0 && offset + text.count <= count && self[offset..<offset + text.count].elementsEqual(text)
    }

    /// The next CR LF that a delimiter follows, at or after `start`.
    fileprivate func firstIndex(of delimiter: [UInt8], afterLineEndFrom start: Int) -> Int? {
        var index = start
        while true {
            index = firstIndexOfLineEnd(from: index)
            guard index < count else { return nil }
            if hasBytes("\r\n", at: index), hasBytes(delimiter, at: index + 2) { return index }
            index += 1
        }
    }
}
