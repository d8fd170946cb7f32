/// What the input of a request comes to, before anybody has counted it.
public struct InputMeasure: Hashable, Sendable {
    /// Bytes of UTF-8 of all members that a model may be shown, as compact JSON with its escapes decoded, without
    /// media; `UsageEstimate.bytesPerToken` for each token given as a number.
    public internal(set) var textBytes: Int64 = 0
    /// Those among them that are surely text of the prompt: what stands in messages under names such as `content`.
    public internal(set) var promptBytes: Int64 = 0
    /// Tokens that pictures, sound and files are taken for.
    public internal(set) var mediaTokens: Int64 = 0
    /// Bytes of the body that they take.
    public internal(set) var mediaBytes: Int64 = 0
    /// Tokens that they do not come to more than.
    public internal(set) var mediaTokensMax: Int64 = 0

    /// Tokens of the whole input: a quarter of its bytes, rounded up, and its media.
    public var estimatedTokens: Int64 { UsageEstimate.tokens(inTextBytes: estimatedBytes) }

    /// `estimatedTokens` in bytes of text.
    public var estimatedBytes: Int64 { textBytes + mediaTokens * UsageEstimate.bytesPerToken }

    /// No engine counts more for a body of so many bytes: no token is shorter than a byte.
    public func tokensMax(inBody bytes: Int64) -> Int64 { max(0, bytes - mediaBytes) + mediaTokensMax }

    /// Takes in something beside the text.
    mutating func take(_ tokens: (likely: Int64, most: Int64)) {
        mediaTokens += tokens.likely
        mediaTokensMax += tokens.most
    }
}

/// What stands beside text in a prompt.
enum MediaKind: Sendable {
    case picture, sound, video, file
    /// What its type says.
    case unknown

    /// The kind that a MIME type, or a format such as Bedrock's, means; nil for text.
    init?(type: String, otherwise kind: MediaKind) {
        let type = type.lowercased()
        let isText =
            type.hasPrefix("text/") || type.hasPrefix("application/json") || type.hasPrefix("application/xml")
            || ["txt", "md", "csv", "html"].contains(type)
        guard !isText else { return nil }
        if type.hasPrefix("image/") {
            self = .picture
        } else if type.hasPrefix("audio/") {
            self = .sound
        } else if type.hasPrefix("video/") {
            self = .video
        } else if type.hasPrefix("application/") {
            self = .file
        } else {
            self = kind
        }
    }

    /// Tokens of so many decoded bytes, likely and at most. Pictures are resized before they are counted, so that none
    /// has many more tokens than another; sound and video are counted by the second, documents by the page.
    func tokens(inBytes bytes: Int64) -> (likely: Int64, most: Int64) {
        switch self {
        case .picture, .unknown: (min(max(85, bytes / 100), 1600), min(max(85, bytes), MediaKind.pictureTokensMax))
        case .sound, .video: (max(1, bytes / 1000), max(1, bytes / 100))
        case .file: (max(1, bytes / 40), max(1, bytes / 4))
        }
    }

    /// Tokens of something that the engine fetches by itself.
    static let elsewhere: (likely: Int64, most: Int64) = (1000, pictureTokensMax)
    /// No engine makes more tokens of one picture.
    static let pictureTokensMax: Int64 = 16_384
}
