/// Builds a one-dimensional array in the form of `array_send`: a head, then each element behind its length.
struct BinaryArray {
    private var body: [UInt8] = []
    private var count: UInt32 = 0
    private var nullCount: UInt32 = 0
    private let type: BinaryType
    /// Every element is zero, false or empty; none is NULL.
    private(set) var isBlank = true
    /// Every element is NULL.
    var isNull: Bool { nullCount == count }

    init(type: BinaryType) { self.type = type }

    /// The finished array.
    var bytes: [UInt8] {
        var head = BinaryArray(type: type)
        head.body.reserveCapacity(20 + body.count)
        head.number(1 as UInt32)  // dimensions
        head.number((nullCount > 0 ? 1 : 0) as UInt32)
        head.number(type.identifier)
        head.number(count)
        head.number(1 as UInt32)  // the first element's number
        return head.body + body
    }

    mutating func null() {
        count += 1
        nullCount += 1
        isBlank = false
        number(UInt32.max)
    }

    /// Begins an element of so many bytes.
    mutating func begin(_ length: Int, isBlank: Bool) {
        count += 1
        if !isBlank { self.isBlank = false }
        number(UInt32(truncatingIfNeeded: length))
    }

    mutating func byte(_ value: UInt8) { body.append(value) }

    mutating func append(_ bytes: [UInt8]) { body.append(contentsOf: bytes) }

    /// Most significant byte first.
    mutating func number(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { body.append(contentsOf: $0) }
    }

    mutating func text(_ value: String, prefix: UInt8?) {
        var value = value
        value.withUTF8 { utf8 in
            begin(utf8.count + (prefix == nil ? 0 : 1), isBlank: utf8.isEmpty && prefix == nil)
            if let prefix { body.append(prefix) }
            body.append(contentsOf: utf8)
        }
    }

    /// Twelve decimals are three digits of a `numeric`, which counts in ten thousands.
    mutating func numeric(picounits: Int128) {
        var rest = picounits.magnitude
        // Lowest first; 39 decimal digits at most.
        var digits: [10 of UInt16] = .init(repeating: 0)
        var used = 0
        while rest > 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10_000)
            digits[used] = UInt16(truncatingIfNeeded: digit)
            used += 1
            rest = quotient
        }
        begin(8 + 2 * used, isBlank: used == 0)
        number(UInt16(used))
        number(Int16(used - 4))  // the first digit's power of ten thousand
        number((picounits < 0 ? 0x4000 : 0) as UInt16)
        number(12 as UInt16)
        for index in stride(from: used - 1, through: 0, by: -1) { number(digits[index]) }
    }
}
