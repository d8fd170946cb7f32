/// The values of a statement laid out as libpq wants them: one block of bytes, each value ended by NUL.
struct ParameterBuffer {
    /// The protocol counts parameters with 16 bits.
    static let countMax = 65_535

    private var bytes: [UInt8] = []
    private var offsets: [Int?] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []

    init(_ sql: SQL) throws(PostgresError) {
        guard sql.parameters.count <= Self.countMax else {
            let message = "\(sql.parameters.count) parameters, at most \(Self.countMax): pass arrays and unnest them"
            throw PostgresError(kind: .invalidParameter, message: message, statement: sql.firstLine)
        }
        for (index, parameter) in sql.parameters.enumerated() {
            switch parameter {
            case .null: append(nil, length: 0, format: 0)
            case .bytes(let value):
                append(bytes.count, length: value.count, format: 1)
                bytes += value
                bytes.append(0)
            case .text(let value):
                let start = bytes.count
                bytes += value.utf8
                guard !bytes[start...].contains(0) else {
                    let message = "parameter $\(index + 1) has a NUL byte, which no Postgres text can hold"
                    throw PostgresError(kind: .invalidParameter, message: message, statement: sql.firstLine)
                }
                append(start, length: bytes.count - start, format: 0)
                bytes.append(0)
            }
        }
    }

    private mutating func append(_ offset: Int?, length: Int, format: Int32) {
        offsets.append(offset)
        lengths.append(Int32(clamping: length))
        formats.append(format)
    }

    func withPointers<Result>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Result
    ) -> Result {
        bytes.withUnsafeBytes { block in
            let start = block.bindMemory(to: CChar.self).baseAddress
            let values = offsets.map { offset in offset.flatMap { offset in start.map { $0 + offset } } }
            return values.withUnsafeBufferPointer { values in
                lengths.withUnsafeBufferPointer { lengths in
                    formats.withUnsafeBufferPointer { formats in
                        body(values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }
}

/// Calls the closure with a NULL-terminated array of C strings.
func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result,
) -> Result {
    var block: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(block.count)
        block += string.utf8CString
    }
    return block.withUnsafeBufferPointer { block in
        let pointers = offsets.map { offset in block.baseAddress.map { $0 + offset } } + [nil]
        return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}
