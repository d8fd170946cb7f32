public import Metering

/// A call of a system's own API, as it stands after `/engines/{backend}`: the path says what is asked for, and often of
/// which model.
public struct NativeCall: Hashable, Sendable {
    public let surface: Surface
    public let method: String
    /// The model that the path names, decoded; nil where the body or the backend alone decides.
    public let model: String?
    /// Whether the path asks for a stream.
    public let isStream: Bool
    /// Whether it is an inference: looking at a prediction, or cancelling one, is not.
    public let isInference: Bool
    /// The path in front of the model, or all of it.
    let prefix: String
    /// The path after the model.
    let suffix: String
    /// What of the model's name stays as it is in the path, beside letters, digits and `-._~`.
    let unencoded: String

    init(
        surface: Surface, method: String = "POST", model: String? = nil, isStream: Bool = false,
        isInference: Bool = true, prefix: String, suffix: String = "", unencoded: String = ""
    ) {
        self.surface = surface
        self.method = method
        self.model = model
        self.isStream = isStream
        self.isInference = isInference
        self.prefix = prefix
        self.suffix = suffix
        self.unencoded = unencoded
    }

    /// The path at the backend.
    func path(upstreamModel: String) -> String {
        model == nil ? prefix : prefix + PercentEncoding.encode(upstreamModel, leaving: unencoded) + suffix
    }
}

/// Percent-encoding of path segments (RFC 3986, section 2.1).
enum PercentEncoding {
    /// `text` with all bytes encoded but unreserved ones and those of `kept`.
    static func encode(_ text: String, leaving kept: String = "") -> String {
        guard !text.utf8.allSatisfy({ isUnreserved($0) || kept.utf8.contains($0) }) else { return text }
        let digits: StaticString = "0123456789ABCDEF"
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) || kept.utf8.contains(byte) {
                bytes.append(byte)
            } else {
                bytes.append(UInt8(ascii: "%"))
                bytes.append(digits.utf8Start[Int(byte >> 4)])
                bytes.append(digits.utf8Start[Int(byte & 15)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
