/// One JSON object whose members are read and changed one by one; whatever is not touched stays byte for byte. For
/// documents that are rare and small, such as a batch: what passes often is scanned in place.
public struct JSONObjectText: Sendable {
    /// A member, its value as it is written.
    private struct Member: Sendable {
        let key: String
        let value: Range<Int>
    }

    private let bytes: [UInt8]
    private var members: [Member] = []
    /// Where among `members` each key stands.
    private var places: [String: Int] = [:]

    /// Reads `bytes`, which must be one object in UTF-8 with each key at most once, and none that only folds to one of
    /// the names that matter.
    public init(reading bytes: [UInt8], names: [StaticString] = []) throws(RequestError) {
        self.bytes = bytes
        var twice: String?
        do throws(JSONScanError) {
            try bytes.scanning { raw throws(JSONScanError) in
                var scanner = JSONScanner(raw)
                try scanner.beginObject()
                while let key = try scanner.nextKey() {
                    let name = key.value(in: raw)
                    if places.updateValue(members.count, forKey: name) != nil { twice = twice ?? name }
                    members.append(Member(key: name, value: try scanner.skip()))
                }
                try scanner.end()
            }
        } catch {
            throw RequestError(
                message: "The body is not a JSON object: \(error.problem.rawValue) at byte \(error.offset).",
                code: "invalid_json")
        }
        guard bytes.withUnsafeBytes({ UTF8Check.isValid($0) }) else {
            throw RequestError(
                message: "The body is not valid UTF-8. Send JSON encoded as UTF-8.", code: "invalid_json")
        }
        if let twice {
            throw RequestError(
                message: "The field '\(twice.prefix(100))' is given twice. Give it once.",
                parameter: String(twice.prefix(100)), code: "duplicate_field")
        }
        let table = NameTable(names)
        for member in members {
            if let name = table.folded(member.key) { throw ReadingError.otherCase(name.description).refusal }
        }
    }

    /// The names of its members, in their order.
    public var keys: [String] { members.map(\.key) }

    /// A member's value as it is written; nil where there is no such member.
    public func value(_ key: String) -> [UInt8]? {
        places[key].map { Array(bytes[members[$0].value]) }
    }

    /// A member's value where it is a string.
    public func text(_ key: String) -> String? {
        guard let value = value(key), value.first == UInt8(ascii: "\"") else { return nil }
        return value.withUnsafeBytes { raw in
            var scanner = JSONScanner(raw)
            return (try? scanner.string())?.value(in: raw)
        }
    }

    /// A member's value where it is a whole number.
    public func integer(_ key: String) -> Int64? {
        value(key).flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
    }

    /// A member's value where it is an object of the same kind.
    public func object(_ key: String) -> JSONObjectText? {
        value(key).flatMap { try? JSONObjectText(reading: $0) }
    }

    /// The elements of an array, as they are written; nil where the member is none.
    public func elements(_ key: String) -> [[UInt8]]? {
        guard let value = value(key), value.first == UInt8(ascii: "[") else { return nil }
        return value.withUnsafeBytes { raw in
            var elements: [[UInt8]] = []
            var scanner = JSONScanner(raw)
            do {
                try scanner.beginArray()
                while try scanner.nextElement() { elements.append(Array(raw[try scanner.skip()])) }
            } catch { return nil }
            return elements
        }
    }

    /// The elements of an array that are strings.
    public func texts(_ key: String) -> [String] {
        (elements(key) ?? []).compactMap { element in
            element.withUnsafeBytes { raw in
                var scanner = JSONScanner(raw)
                return (try? scanner.string())?.value(in: raw)
            }
        }
    }

    /// The object with other values for these members, as they are to be written; nil takes one away, and what is new
    /// stands at the end.
    public func changed(_ changes: [(key: String, value: [UInt8]?)]) -> [UInt8] {
        var written: [UInt8] = [UInt8(ascii: "{")]
        func write(_ key: String, _ value: some Sequence<UInt8>) {
            if written.count > 1 { written.append(UInt8(ascii: ",")) }
            JSONString.append(key, to: &written)
            written.append(UInt8(ascii: ":"))
            written.append(contentsOf: value)
        }
        for member in members {
            guard let change = changes.first(where: { $0.key == member.key }) else {
                write(member.key, bytes[member.value])
                continue
            }
            if let value = change.value { write(member.key, value) }
        }
        for (key, value) in changes where places[key] == nil {
            if let value { write(key, value) }
        }
        written.append(UInt8(ascii: "}"))
        return written
    }
}

extension JSONString {
    /// `text` as it is written in JSON; `null` for nil.
    public static func bytes(of text: String?) -> [UInt8] {
        guard let text else { return Array("null".utf8) }
        var bytes: [UInt8] = []
        append(text, to: &bytes)
        return bytes
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` that keeps the kind of error.
    func scanning(_ body: (UnsafeRawBufferPointer) throws(JSONScanError) -> Void) throws(JSONScanError) {
        let result = withUnsafeBytes { raw in Result { () throws(JSONScanError) in try body(raw) } }
        try result.get()
    }
}
