extension AWSEventFrame {
    /// A whole frame that says that the answer failed: the name of an exception, and its words as JSON.
    public static func exception(named name: String, payload: [UInt8]) -> [UInt8] {
        var headers: [UInt8] = []
        for (field, value) in [
            (":exception-type", name), (":content-type", "application/json"), (":message-type", "exception"),
        ] {
            headers.append(UInt8(truncatingIfNeeded: field.utf8.count))
            headers.append(contentsOf: field.utf8)
            headers.append(7)
            headers.append(contentsOf: bigEndian(UInt16(truncatingIfNeeded: value.utf8.count)))
            headers.append(contentsOf: value.utf8)
        }
        var frame = bigEndian(UInt32(truncatingIfNeeded: 16 + headers.count + payload.count))
        frame += bigEndian(UInt32(truncatingIfNeeded: headers.count))
        frame += bigEndian(frame.withUnsafeBytes { AWSChecksum.crc32($0) })
        frame += headers + payload
        return frame + bigEndian(frame.withUnsafeBytes { AWSChecksum.crc32($0) })
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
