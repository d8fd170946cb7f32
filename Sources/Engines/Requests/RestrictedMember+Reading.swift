// How members of the table are found in a body.

extension RestrictedMember {
    /// By the first letter of their names, in lower case, so that a usual name meets few of them.
    private static let byLetter: [[(index: Int, name: String)]] = {
        assert(all.count <= RestrictedMembers.countMax)
        var lists = [[(index: Int, name: String)]](repeating: [], count: 256)
        for (index, member) in all.enumerated() where !member.isFamily {
            let name = member.name.lowercased()
            lists[Int(name.utf8.first ?? 0)].append((index, name))
        }
        return lists
    }()

    private var isFamily: Bool { name.first == "*" || name.last == "*" }

    /// Families by the first letter of what they begin with, or by the last of what they end with.
    private struct Families {
        var prefixes = [[(index: Int, text: [UInt8])]](repeating: [], count: 256)
        var suffixes = [[(index: Int, text: [UInt8])]](repeating: [], count: 256)

        init() {
            for (index, member) in RestrictedMember.all.enumerated() where member.isFamily {
                assert(member.parent.isEmpty, "families stand at the root")
                let text = Array(member.name.utf8.filter { $0 != UInt8(ascii: "*") })
                if member.name.first == "*" {
                    suffixes[Int(text.last ?? 0)].append((index, text))
                } else {
                    prefixes[Int(text.first ?? 0)].append((index, text))
                }
            }
        }

        /// The first that a name in lower case belongs to.
        func index(of name: some BidirectionalCollection<UInt8>) -> Int? {
            guard let first = name.first, let last = name.last else { return nil }
            return prefixes[Int(first | 0x20)].first { name.starts(with: $0.text) { $0 | 0x20 == $1 | 0x20 } }?.index
                ?? suffixes[Int(last | 0x20)].first { end in
                    name.reversed().starts(with: end.text.reversed()) { $0 | 0x20 == $1 | 0x20 }
                }?.index
        }
    }

    private static let families = Families()

    /// No name is written in more bytes, however it is escaped.
    private static let writtenBytesMax = 6 * 32

    // MARK: Reading

    /// The members of the table that a key of the object `parent` is to some reader, and whose value is more than they
    /// are allowed. Looks at the value, and leaves the scanner in front of it.
    static func asked(
        _ key: JSONText, in parent: String, _ scanner: JSONScanner, _ body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> RestrictedMembers {
        guard let first = key.range.first, key.range.count <= writtenBytesMax else {
            return RestrictedMembers()
        }
        // The long s and the Kelvin sign are no ASCII, and longer than what they fold to.
        let isPlain = !key.isEscaped && body[key.range].allSatisfy { $0 < 0x80 }
        let isFamily = parent.isEmpty && isPlain && families.index(of: body[key.range]) != nil
        if isPlain, !isFamily,
            !byLetter[Int(body[first] | 0x20)].contains(where: { $0.name.utf8.count == key.range.count })
        {
            return RestrictedMembers()
        }
        var found = RestrictedMembers()
        for index in indices(named: key.value(in: body)) where all[index].parent == parent {
            var value = scanner
            if try !all[index].allows(&value, body) { found.insert(index) }
        }
        return found
    }

    /// The same for a part of a form, whose values are all text. Readers of forms do not fold names.
    static func asked(part name: String, text: String) -> RestrictedMembers {
        var found = RestrictedMembers()
        for index in indices(named: name) where all[index].parent.isEmpty && !all[index].allows(text) {
            found.insert(index)
        }
        return found
    }

    private static func indices(named text: String) -> [Int] {
        let name = String(text.lowercased().map { $0 == "\u{17F}" ? "s" : $0 == "\u{212A}" ? "k" : $0 })
        let named = byLetter[Int(name.utf8.first ?? 0)].filter { $0.name == name }.map(\.index)
        return families.index(of: Array(name.utf8)).map { named + [$0] } ?? named
    }

    private func allows(_ text: String) -> Bool {
        switch allowed {
        case .nothing, .object, .inside: text.isEmpty
        case .off: text.isEmpty || text == "[]" || RestrictedMember.zeros.contains(text)
        case .only(let values): values.contains(text)
        case .members(let values): text.split(separator: ",").allSatisfy { values.contains($0.filter { $0 != " " }) }
        }
    }

    private func allows(
        _ scanner: inout JSONScanner, _ body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        let kind = try scanner.kind()
        if kind == .null { return true }
        switch allowed {
        case .nothing: return false
        case .off:
            if kind == .array {
                try scanner.beginArray()
                return try !scanner.nextElement()
            }
            return RestrictedMember.zeros.contains(body.text(try scanner.skip()))
        case .only(let values):
            if kind == .number { return values.contains(body.text(try scanner.skip())) }
            guard kind == .string else { return false }
            return values.contains(try scanner.string().value(in: body))
        case .members(let values):
            if kind == .string {
                let text = try scanner.string().value(in: body)
                return text.split(separator: ",").allSatisfy { values.contains(String($0.filter { $0 != " " })) }
            }
            guard kind == .array else { return false }
            try scanner.beginArray()
            while try scanner.nextElement() {
                guard try scanner.kind() == .string, values.contains(try scanner.string().value(in: body)) else {
                    return false
                }
            }
            return true
        case .inside(let name, let members):
            guard kind == .object else { return false }
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                guard key.value(in: body) == name, try scanner.kind() == .object else { return false }
                try scanner.beginObject()
                while let key = try scanner.nextKey() {
                    guard members.contains(key.value(in: body)) else { return false }
                    try scanner.skip()
                }
            }
            return true
        case .object(let members):
            guard kind == .object else { return false }
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let name = key.value(in: body)
                let isValue = try scanner.kind() == .string
                let value = isValue ? try scanner.string().value(in: body) : body.text(try scanner.skip())
                guard members.contains(name) || members.contains(name + "=" + value) else { return false }
            }
            return true
        }
    }

    private static let zeros: Set<String> = ["0", "0.0", "-0", "false", "{}"]
}

extension UnsafeRawBufferPointer {
    fileprivate func text(_ range: Range<Int>) -> String { String(decoding: self[range], as: UTF8.self) }
}

/// Members of the table, however often a body names them.
struct RestrictedMembers: Hashable, Sendable {
    private var low: UInt128 = 0
    private var high: UInt128 = 0
    static let countMax = 256

    var isEmpty: Bool { low | high == 0 }

    mutating func insert(_ index: Int) {
        if index < 128 { low |= 1 << UInt128(index) } else { high |= 1 << UInt128(index - 128) }
    }

    mutating func formUnion(_ other: RestrictedMembers) {
        low |= other.low
        high |= other.high
    }

    private func contains(_ index: Int) -> Bool {
        (index < 128 ? low >> UInt128(index) : high >> UInt128(index - 128)) & 1 == 1
    }

    /// In the order of the table.
    var members: [RestrictedMember] {
        RestrictedMember.all.indices.filter { contains($0) }.map { RestrictedMember.all[$0] }
    }
}

extension InferenceRequest {
    /// The first member that one of these systems would take for more than the gateway allows; nil where there is none.
    public func restricted(on kinds: some Sequence<EngineKind>) -> RestrictedMember? {
        restrictedMembers.isEmpty
            ? nil
            : restrictedMembers.members.first { member in kinds.contains { member.kinds.contains($0) } }
    }
}
