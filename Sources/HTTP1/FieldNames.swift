/// A fixed set of field names that is asked for bytes, without regard to case.
public struct FieldNames: Sendable {
    /// All names in lower case, those of one length beside one another.
    private let bytes: [UInt8]
    /// Where the names of a length begin; one entry more than there are lengths.
    private let starts: [Int]

    public init(_ names: [String]) {
        let names = names.map { $0.utf8.map(\.lowercased) }
        var bytes: [UInt8] = []
        var starts: [Int] = []
        for length in 0...(names.map(\.count).max() ?? 0) {
            starts.append(bytes.count)
            for name in names where name.count == length { bytes += name }
        }
        self.bytes = bytes
        self.starts = starts + [bytes.count]
    }

    /// Whether `name` is one of them.
    public func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        let length = name.count
        guard length > 0, length + 1 < starts.count else { return false }
        var start = starts[length]
        let end = starts[length + 1]
        while start < end {
            var index = 0
            while index < length, bytes[start + index] == name[index].lowercased { index += 1 }
            if index == length { return true }
            start += length
        }
        return false
    }
}
