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
        return contentType.lowercased().hasPrefix("multipart/")
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
            if body.hasBytes("--", at: offset) {
                // Whether a reader takes what follows for another part is its own affair.
                guard offset + 2 == body.count || body.hasBytes("\r\n", at: offset + 2) && offset + 4 == body.count
                else { throw malformed("goes on after its last boundary") }
                return
            }
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
        _ head: Head, _ value: Range<Int>, of body: UnsafeRawBufferPointer, _ table: RequestTable,
        _ seen: inout Set<String>, into request: inout InferenceRequest
    ) throws(ReadingError) {
        if head.name == "file" {
            guard seen.insert(head.name).inserted else { throw .givenTwice(head.name) }
            // Some take an address there as well.
            let text = JSONText(range: value, isEscaped: false)
            guard [.none, .data].contains(MediaAddress(text, in: body)) else { throw .soundAddress(head.name) }
            request.bodyMeasures = RequestMeasures(soundFile: body.part(value))
            request.input.take(MediaKind.sound.tokens(inBytes: Int64(value.count)))
            request.input.mediaBytes += Int64(value.count)
            return
        }
        let known = table.fields.first { $0.name.description == head.name }
        if case .soundAddress? = known?.role { throw .soundAddress(head.name) }
        if !head.isFile {
            let text = String(decoding: body[value].prefix(valueBytesMax), as: UTF8.self)
            request.restrictedMembers.formUnion(RestrictedMember.asked(part: head.name, text: text))
        }
        let isSource = known == nil && value.count > 0 && SoundSource.isOne(head.name)
        let whole = JSONText(range: value, isEscaped: false)
        if request.restrictedMembers.isEmpty, isSource || SoundSource.isAddress(whole, in: body, name: head.name) {
            throw .soundAddress(head.name)
        }
        guard let field = known else {
            if let other = table.names.folded(head.name) { throw .otherCase(other.description) }
            if head.isFile {
                request.input.take(MediaKind.sound.tokens(inBytes: Int64(value.count)))
                request.input.mediaBytes += Int64(value.count)
            } else {
                request.input.textBytes += Int64(value.count)
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
        case .text:
            request.input.textBytes += Int64(value.count)
            request.input.promptBytes += Int64(value.count)
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
        var seen: Set<String> = []
        var line = start
        while line - start <= headBytesMax {
            let end = body.firstIndexOfLineEnd(from: line)
            guard body.hasBytes("\r\n", at: end) else { throw malformed("has a part without a head") }
            guard end - start <= headBytesMax else { break }
            if end == line {
                guard seen.contains("content-disposition") else { throw malformed("has a part without a name") }
                head.end = end + 2
                return head
            }
            try read(String(decoding: body[line..<end], as: UTF8.self), into: &head, &seen)
            line = end + 2
        }
        throw malformed("has a part with a head longer than \(headBytesMax) bytes")
    }

    /// One line of a part's head.
    private static func read(
        _ line: String, into head: inout Head, _ seen: inout Set<String>
    ) throws(ReadingError) {
        guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw malformed("has a part with a line that is no header")
        }
        let name = line[..<colon].lowercased()
        // A line that begins with a space goes on with the one before, to some.
        guard !name.isEmpty, name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw malformed("has a part with a line that is no header")
        }
        guard seen.insert(name).inserted else { throw malformed("has a part with two headers '\(name.prefix(100))'") }
        guard name == "content-disposition" else { return }
        guard let parameters = HeaderParameters(line[line.index(after: colon)...]), parameters.type == "form-data",
            let partName = parameters.values["name"], isPlain(partName)
        else {
            throw malformed(
                "has a part whose content-disposition is not 'form-data' with one plain name and, of a file, one "
                    + "filename")
        }
        head.name = partName
        head.fileName = parameters.values["filename"]
        head.isFile = head.fileName != nil
    }

    /// A name that no reader decodes, trims or folds into another.
    private static func isPlain(_ name: String) -> Bool {
        (1...100).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (0x21...0x7E).contains(byte) && !"\"\\%*;=".utf8.contains(byte)
            }
    }

    private static func boundary(
        of body: UnsafeRawBufferPointer, contentType: String?
    ) throws(ReadingError) -> String {
        if let contentType {
            guard let parameters = HeaderParameters(contentType), parameters.type == "multipart/form-data",
                parameters.values.keys.allSatisfy({ $0 == "boundary" || $0 == "charset" }),
                let boundary = parameters.values["boundary"], isBoundary(boundary)
            else { throw malformed("needs a boundary of 1 to 70 characters, and no more, in its content-type") }
            return boundary
        }
        let end = body.firstIndexOfLineEnd(from: 0)
        guard (3...72).contains(end), body.hasBytes("--", at: 0) else { throw malformed("has no boundary") }
        let boundary = String(decoding: body[2..<end], as: UTF8.self)
        guard isBoundary(boundary) else { throw malformed("has no boundary") }
        return boundary
    }

    /// RFC 2046, section 5.1.1, and what else stands in no need of escapes.
    private static func isBoundary(_ boundary: String) -> Bool {
        (1...70).contains(boundary.utf8.count) && boundary.utf8.last != 0x20
            && boundary.utf8.allSatisfy { (0x20...0x7E).contains($0) && !"\"\\;".utf8.contains($0) }
    }

    private static func malformed(_ problem: String) -> ReadingError {
        .refused(
            RequestError(message: "The body is no multipart/form-data: it \(problem).", code: "invalid_multipart"))
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func hasBytes(_ text: [UInt8], at offset: Int) -> Bool {
        guard offset >= 0, offset + text.count <= count else { return false }
        for (index, byte) in text.enumerated() where self[offset + index] != byte {
            ReadingSteps.add(index + 1)
            return false
        }
        ReadingSteps.add(text.count)
        return true
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
