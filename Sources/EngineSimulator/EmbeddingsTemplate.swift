/// Writes the answer of an embeddings request.
struct EmbeddingsTemplate: Sendable {
    /// The length of a vector when the request does not say.
    static let dimensionsDefault = 16

    let plan: GenerationPlan
    let id: String
    /// Unix seconds.
    let created: Int
    let model: String
    let inputs: Int
    let dimensions: Int
    let base64: Bool
    let seed: UInt64

    /// The whole body.
    func body() -> String {
        let data = (0..<inputs).map { index in
            "{\"index\":\(index),\"object\":\"embedding\",\"embedding\":\(vector(index))}"
        }
        var body = "{\"id\":\"\(id)\",\"object\":\"list\",\"created\":\(created),\"model\":\(JSONText.quoted(model)),"
        body += "\"data\":[\(data.joined(separator: ","))]"
        if plan.behavior.usage != .missing {
            body += ",\"usage\":\(UsageReport(plan: plan, completionTokens: 0).json(in: .plainAnswer))"
        }
        return body + "}"
    }

    /// Values are multiples of 1/1024 in [-1, 1), so that text and binary say the same number exactly.
    private func values(_ index: Int) -> [Float] {
        (0..<dimensions).map { position in
            let mixed = Hash.mix(seed &+ UInt64(index) &* 0x1_0000_0001 &+ UInt64(position))
            return (Float(mixed % 2048) - 1024) / 1024
        }
    }

    private func vector(_ index: Int) -> String {
        guard base64 else { return "[" + values(index).map { "\($0)" }.joined(separator: ",") + "]" }
        let bytes = values(index).flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (UInt32($0) * 8)) }
        }
        return "\"\(Base64.encode(bytes))\""
    }
}

/// Base64 with padding (RFC 4648, section 4).
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The text of some bytes.
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let padded = Array(group) + Array(repeating: 0, count: 3 - group.count)
            let bits = UInt32(padded[0]) << 16 | UInt32(padded[1]) << 8 | UInt32(padded[2])
            for sextet in 0..<4 {
                let index = Int(bits >> UInt32(18 - 6 * sextet)) & 0x3F
                text.append(sextet <= group.count ? alphabet[index] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
