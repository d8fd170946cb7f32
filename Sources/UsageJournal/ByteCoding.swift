import Identity

/// Writes the journal's binary form: varints, zigzag for signed numbers, texts with their length before them.
///
/// Two records of each request are written so, mostly single bytes: into memory of its own, because an array would look
/// at each of them whether it is shared.
struct ByteWriter: ~Copyable {
    private var start: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// Bytes written.
    private(set) var count = 0

    init(reserving capacity: Int) {
        self.capacity = max(16, capacity)
        start = .allocate(capacity: self.capacity)
    }

    deinit { start.deallocate() }

    /// A copy of what was written.
    var bytes: [UInt8] { Array(UnsafeBufferPointer(start: start, count: count)) }

    /// What was written, where it stands.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(start: start, count: count))
    }

    @inline(__always)
    private mutating func makeRoom(for more: Int) {
        if more > capacity - count { grow(for: more) }
    }

    @inline(never)
    private mutating func grow(for more: Int) {
        capacity = max(capacity * 2, count + more)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: start, count: count)
        start.deallocate()
        start = larger
    }

    mutating func byte(_ value: UInt8) {
        makeRoom(for: 1)
        start[count] = value
        count += 1
    }

    mutating func flag(_ value: Bool) { byte(value ? 1 : 0) }

    /// LEB128: seven bits a byte, the lowest first.
    mutating func unsigned(_ value: UInt64) {
        makeRoom(for: 10)
        var rest = value
        while rest >= 0x80 {
            start[count] = UInt8(truncatingIfNeeded: rest) | 0x80
            count += 1
            rest >>= 7
        }
        start[count] = UInt8(truncatingIfNeeded: rest)
        count += 1
    }

    /// Zigzag, so that small negative numbers stay short.
    mutating func signed(_ value: Int64) {
        unsigned(UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    mutating func signed(_ value: Int64?) {
        flag(value != nil)
        if let value { signed(value) }
    }

    mutating func text(_ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            unsigned(UInt64(utf8.count))
            append(UnsafeRawBufferPointer(utf8))
        }
    }

    mutating func text(_ value: String?) {
        flag(value != nil)
        if let value { text(value) }
    }

    mutating func blob(_ value: [UInt8]) {
        unsigned(UInt64(value.count))
        value.withUnsafeBytes { append($0) }
    }

    mutating func fixed(_ value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { append($0) }
    }

    mutating func fixed(_ value: UInt32) {
        withUnsafeBytes(of: value.littleEndian) { append($0) }
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        makeRoom(for: bytes.count)
        UnsafeMutableRawPointer(start + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    mutating func id<Kind>(_ value: TypedID<Kind>) {
        fixed(value.uuid.high)
        fixed(value.uuid.low)
    }

    mutating func id<Kind>(_ value: TypedID<Kind>?) {
        flag(value != nil)
        if let value { id(value) }
    }

    mutating func zeros(_ count: Int) {
        for _ in 0..<count { byte(0) }
    }

    mutating func patch(_ value: UInt32, at offset: Int) {
        for index in 0..<4 { patch(UInt8(truncatingIfNeeded: value >> (8 * UInt32(index))), at: offset + index) }
    }

    mutating func patch(_ value: UInt8, at offset: Int) {
        precondition(offset < count, "only what was written can be written over")
        start[offset] = value
    }
}

/// What a payload that does not read as its kind says is wrong with it.
struct DecodingFault: Error, Hashable {
    let reason: String
}

/// Reads what `ByteWriter` writes; every length is checked before it is believed.
struct ByteReader {
    private let bytes: [UInt8]
    private var offset: Int
    private let end: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        offset = 0
        end = bytes.count
    }

    var remaining: Int { end - offset }

    mutating func byte() throws(DecodingFault) -> UInt8 {
        guard offset < end else { throw DecodingFault(reason: "ends too early") }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func flag() throws(DecodingFault) -> Bool {
        switch try byte() {
        case 0: return false
        case 1: return true
        default: throw DecodingFault(reason: "a flag is neither 0 nor 1")
        }
    }

    mutating func unsigned() throws(DecodingFault) -> UInt64 {
        // Most numbers take one byte.
        if offset < end, bytes[offset] < 0x80 {
            defer { offset += 1 }
            return UInt64(bytes[offset])
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            let part = UInt64(next & 0x7F)
            guard shift < 63 || (shift == 63 && part <= 1) else { throw DecodingFault(reason: "a number is too long") }
            value |= part << shift
            if next & 0x80 == 0 { return value }
            shift += 7
        }
    }

    mutating func signed() throws(DecodingFault) -> Int64 {
        let raw = try unsigned()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    mutating func optionalSigned() throws(DecodingFault) -> Int64? {
        try flag() ? try signed() : nil
    }

    mutating func int32() throws(DecodingFault) -> Int32 {
        guard let value = Int32(exactly: try signed()) else { throw DecodingFault(reason: "a number is too large") }
        return value
    }

    /// A count of things that take at least one byte each.
    mutating func count(atMost most: Int) throws(DecodingFault) -> Int {
        guard let value = Int(exactly: try unsigned()), value <= most, value <= remaining else {
            throw DecodingFault(reason: "a count is too large")
        }
        return value
    }

    mutating func blob() throws(DecodingFault) -> [UInt8] {
        let length = try count(atMost: remaining)
        defer { offset += length }
        return Array(bytes[offset..<offset + length])
    }

    mutating func text() throws(DecodingFault) -> String {
        let length = try count(atMost: remaining)
        defer { offset += length }
        guard let text = String(validating: bytes[offset..<offset + length], as: UTF8.self) else {
            throw DecodingFault(reason: "a text is not UTF-8")
        }
        return text
    }

    mutating func optionalText() throws(DecodingFault) -> String? {
        try flag() ? try text() : nil
    }

    mutating func fixed64() throws(DecodingFault) -> UInt64 {
        guard remaining >= 8 else { throw DecodingFault(reason: "ends too early") }
        defer { offset += 8 }
        return bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    }

    mutating func fixed32() throws(DecodingFault) -> UInt32 {
        guard remaining >= 4 else { throw DecodingFault(reason: "ends too early") }
        defer { offset += 4 }
        return bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }

    mutating func id<Kind>() throws(DecodingFault) -> TypedID<Kind> {
        let high = try fixed64()
        return TypedID(UUIDv7(high: high, low: try fixed64()))
    }

    mutating func optionalID<Kind>() throws(DecodingFault) -> TypedID<Kind>? {
        try flag() ? try id() : nil
    }

    /// Nothing may follow: bytes that nobody reads would be bytes that nobody understood.
    func finish() throws(DecodingFault) {
        guard offset == end else { throw DecodingFault(reason: "bytes follow the record") }
    }
}
