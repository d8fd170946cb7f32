/// The fields of a message's head: one copy of the head's bytes, and where in it each name and value stands. Looking
/// one up allocates nothing; names are compared without regard to case and kept as they came.
public struct Headers: Sendable {
    /// Where a field stands among the head's bytes.
    struct Field: Sendable {
        let nameStart: UInt32
        let nameEnd: UInt32
        let valueStart: UInt32
        let valueEnd: UInt32
        /// Behind its line end.
        let lineEnd: UInt32

        init(name: Range<Int>, value: Range<Int>, lineEnd: Int) {
            nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
            nameEnd = UInt32(truncatingIfNeeded: name.upperBound)
            valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
            valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
            self.lineEnd = UInt32(truncatingIfNeeded: lineEnd)
        }

        var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
        var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
    }

    /// The whole head, its start line included.
    let bytes: [UInt8]
    private(set) var fields: [Field]
    /// Whether a `connection` field names others.
    let namesFields: Bool

    init(bytes: [UInt8], fields: [Field], namesFields: Bool) {
        self.bytes = bytes
        self.fields = fields
        self.namesFields = namesFields
    }

    public init() { self.init([]) }

    /// These fields, taken as they are: for what the program itself writes.
    public init(_ pairs: [(name: String, value: String)]) {
        var bytes: [UInt8] = []
        var fields: [Field] = []
        for (name, value) in pairs {
            let start = bytes.count
            bytes.append(contentsOf: name.utf8)
            let end = bytes.count
            bytes.append(contentsOf: ": \(value)\r\n".utf8)
            fields.append(Field(name: start..<end, value: end + 2..<bytes.count - 2, lineEnd: bytes.count))
        }
        bytes.append(contentsOf: "\r\n".utf8)
        self.init(bytes: bytes, fields: fields, namesFields: true)
    }

    /// How many fields there are.
    public var count: Int { fields.count }

    /// Calls `body` with the name and the value of each field, as they came, in their order.
    public func forEach(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        bytes.withUnsafeBytes { bytes in
            for field in fields {
                body(
                    UnsafeRawBufferPointer(rebasing: bytes[field.name]),
                    UnsafeRawBufferPointer(rebasing: bytes[field.value]))
            }
        }
    }

    /// Takes out the fields of this name, which is written in lower case.
    public mutating func remove(_ name: StaticString) {
        bytes.withUnsafeBytes { bytes in fields.removeAll { bytes.equalsIgnoringCase(name, in: $0.name) } }
    }

    /// Calls `body` with the lines of the fields that are passed on: those for whose name `isPassed` is true and that
    /// no `connection` field names. Lines come as they were, with their line ends, as many at once as stand beside one
    /// another.
    public func forEachRun(
        where isPassed: (_ name: UnsafeRawBufferPointer) -> Bool, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        bytes.withUnsafeBytes { bytes in
            var run = 0..<0
            for field in fields {
                let name = UnsafeRawBufferPointer(rebasing: bytes[field.name])
                guard isPassed(name), !(namesFields && connectionNames(name)) else { continue }
                if run.upperBound == Int(field.nameStart) {
                    run = run.lowerBound..<Int(field.lineEnd)
                } else {
                    if !run.isEmpty { body(UnsafeRawBufferPointer(rebasing: bytes[run])) }
                    run = Int(field.nameStart)..<Int(field.lineEnd)
                }
            }
            if !run.isEmpty { body(UnsafeRawBufferPointer(rebasing: bytes[run])) }
        }
    }

    /// Whether there is a field of this name, which is written in lower case.
    public func contains(_ name: StaticString) -> Bool { firstIndex(of: name) != nil }

    /// The first of these names, which are written in lower case, that more than one field has; nil when none has.
    public func firstRepeated(of names: [StaticString]) -> StaticString? {
        bytes.withUnsafeBytes { bytes in
            var seen: UInt64 = 0
            for field in fields {
                for (place, name) in names.enumerated()
                where field.name.count == name.utf8CodeUnitCount && bytes.equalsIgnoringCase(name, in: field.name) {
                    guard seen & (1 << UInt64(place)) == 0 else { return name }
                    seen |= 1 << UInt64(place)
                }
            }
            return nil
        }
    }

    /// The value of the first field of this name, which is written in lower case. Bytes that are no UTF-8 become
    /// U+FFFD.
    public func first(_ name: StaticString) -> String? { withFirst(name) { String(decoding: $0, as: UTF8.self) } }

    /// The same for a name that is not known before: in lower case too.
    public func first(named name: String) -> String? {
        bytes.withUnsafeBytes { bytes in
            for field in fields where field.name.count == name.utf8.count {
                if zip(bytes[field.name], name.utf8).allSatisfy({ $0.lowercased == $1 }) {
                    return bytes.text(field.value)
                }
            }
            return nil
        }
    }

    /// Calls `body` with the value of the first field of this name, which is written in lower case; nil without one.
    public func withFirst<Result>(
        _ name: StaticString, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result? {
        guard let index = firstIndex(of: name) else { return nil }
        return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[fields[index].value])) }
    }

    /// The values of all fields of this name, which is written in lower case, in their order.
    public func all(_ name: StaticString) -> [String] {
        bytes.withUnsafeBytes { bytes in
            fields.filter { bytes.equalsIgnoringCase(name, in: $0.name) }.map { bytes.text($0.value) }
        }
    }

    /// The same for a name that is not known before: in lower case too.
    public func all(named name: String) -> [String] {
        bytes.withUnsafeBytes { bytes in
            fields.filter { field in
                field.name.count == name.utf8.count
                    && zip(bytes[field.name], name.utf8).allSatisfy { $0.lowercased == $1 }
            }.map { bytes.text($0.value) }
        }
    }

    /// Whether the first field of this name has this value, both written in lower case, in any case.
    public func first(_ name: StaticString, is value: StaticString) -> Bool {
        guard let index = firstIndex(of: name) else { return false }
        return bytes.withUnsafeBytes { $0.equalsIgnoringCase(value, in: fields[index].value) }
    }

    /// Whether a `connection` field names the field `name`: then it belongs to this connection alone and is not passed
    /// on (RFC 9110, section 7.6.1).
    public func connectionNames(_ name: UnsafeRawBufferPointer) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var isNamed = false
            for field in fields where bytes.equalsIgnoringCase("connection", in: field.name) {
                bytes.forEachListMember(in: field.value) { member in
                    if member.count == name.count,
                        zip(bytes[member], name).allSatisfy({ $0.lowercased == $1.lowercased })
                    {
                        isNamed = true
                    }
                }
            }
            return isNamed
        }
    }

    private func firstIndex(of name: StaticString) -> Int? {
        bytes.withUnsafeBytes { bytes in
            for index in fields.indices where bytes.equalsIgnoringCase(name, in: fields[index].name) { return index }
            return nil
        }
    }
}
