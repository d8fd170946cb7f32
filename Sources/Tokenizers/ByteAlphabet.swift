/// The printable characters that byte-level vocabularies write bytes as, GPT-2's way: printable Latin-1 stands for
/// itself, the other 68 bytes are U+0100 and what follows, in their order.
enum ByteAlphabet {
    private static let scalars: [UInt32] = {
        var next: UInt32 = 0x100
        return (0...255 as ClosedRange<UInt32>).map { byte in
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                return byte
            }
            next += 1
            return next - 1
        }
    }()

    private static let bytesByScalar: [UInt8?] = {
        var bytes = [UInt8?](repeating: nil, count: 0x100 + 68)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = UInt8(byte) }
        return bytes
    }()

    /// How a vocabulary writes a byte.
    static func utf8(of byte: UInt8) -> [UInt8] {
        let scalar = scalars[Int(byte)]
        if scalar < 0x80 { return [UInt8(scalar)] }
        return [UInt8(0xC0 | scalar >> 6), UInt8(0x80 | scalar & 0x3F)]
    }

    /// The bytes that a word of the vocabulary stands for; nil for one with other characters.
    static func bytes(of word: [UInt8]) -> [UInt8]? {
        word.withUnsafeBufferPointer { word in
            var bytes: [UInt8] = []
            var offset = 0
            while offset < word.count {
                let (scalar, length) = decodedScalar(word, at: offset)
                guard Int(scalar) < bytesByScalar.count, let byte = bytesByScalar[Int(scalar)] else { return nil }
                bytes.append(byte)
                offset += length
            }
            return bytes
        }
    }
}
