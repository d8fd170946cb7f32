/// Pictures and sound in an answer, and what they come to in tokens where the engine does not say: by the same measure
/// as those of a prompt (docs/counting.md).
struct DeliveredMedia: Hashable, Sendable {
    private(set) var pictures: Int64 = 0
    private(set) var pictureTokens: Int64 = 0
    private var soundBytes: Int64 = 0

    /// Enough of a text in Base64 to tell what it is.
    static let headBytesMax = 16

    var soundTokens: Int64 { soundBytes == 0 ? 0 : MediaKind.sound.tokens(inBytes: soundBytes).likely }
    var isEmpty: Bool { pictures == 0 && soundBytes == 0 }

    /// Takes a picture or sound: a text of so many bytes that begins with `head`, in Base64 or an address.
    mutating func take(_ kind: MediaKind, head: some Collection<UInt8>, textBytes: Int64) {
        guard textBytes > 0 else { return }
        let isAddress = head.starts(with: "http".utf8)
        let bytes = textBytes * 3 / 4
        switch kind == .unknown ? DeliveredMedia.kind(ofBase64: head) : kind {
        case .sound: soundBytes += bytes
        case .picture, .video, .file, .unknown:
            pictures += 1
            pictureTokens += isAddress ? MediaKind.elsewhere.likely : MediaKind.picture.tokens(inBytes: bytes).likely
        }
    }

    mutating func add(_ other: DeliveredMedia) {
        pictures += other.pictures
        pictureTokens += other.pictureTokens
        soundBytes += other.soundBytes
    }

    /// Takes over what another count of the same answer has more of.
    mutating func raise(to other: DeliveredMedia) {
        pictures = max(pictures, other.pictures)
        pictureTokens = max(pictureTokens, other.pictureTokens)
        soundBytes = max(soundBytes, other.soundBytes)
    }

    /// What data without a type are: pictures show it by how they begin, and anything else that models make is sound,
    /// with a head or without.
    private static func kind(ofBase64 head: some Collection<UInt8>) -> MediaKind {
        let pictures: [StaticString] = [
            "iVBORw0K", "/9j/", "R0lGOD", "data:image/", "http", "Qk0", "Qk1", "Qk2", "Qk3", "SUkqA", "TU0AK", "PHN2Zy",
            "PD94bW", "AAAADEpYTCAN", "/woA",
        ]
        let isPicture = pictures.contains {
            head.starts(with: UnsafeBufferPointer(start: $0.utf8Start, count: $0.utf8CodeUnitCount))
        }
        // `WEBP` behind RIFF's head.
        let isWebP = head.starts(with: "UklGR".utf8) && head.dropFirst(12).starts(with: "RUJQ".utf8)
        return isPicture || isWebP || isStill(head) ? .picture : .sound
    }

    /// AVIF and HEIC: `ftyp` behind four bytes, and a brand of pictures behind that (`avif`, `avis`, `heic`, `heix`,
    /// `mif1`, `msf1`).
    private static func isStill(_ head: some Collection<UInt8>) -> Bool {
        let brand = head.dropFirst(10)
        return head.dropFirst(6).starts(with: "Z0eX".utf8)
            && ["Bhdml", "BoZWl", "BtaWYx", "Btc2Yx"].contains { brand.starts(with: $0.utf8) }
    }
}

/// What a model wrote in a document, or in a part of one.
struct WrittenContent: Hashable, Sendable {
    /// Bytes of UTF-8 text.
    var textBytes: Int64 = 0
    /// Those among them that are known to be reasoning.
    var reasoningBytes: Int64 = 0
    /// Bytes of reasoning that only the engine can read, out of their Base64.
    private(set) var hiddenBytes: Int64 = 0
    var media = DeliveredMedia()

    var isEmpty: Bool { textBytes == 0 && hiddenBytes == 0 && media.isEmpty }

    /// Takes reasoning that is encrypted and in Base64.
    mutating func takeHidden(base64Bytes: Int64) { hiddenBytes += base64Bytes * 3 / 4 }

    mutating func add(_ other: WrittenContent) {
        textBytes += other.textBytes
        reasoningBytes += other.reasoningBytes
        hiddenBytes += other.hiddenBytes
        media.add(other.media)
    }

    /// Takes over what another count of the same answer has more of, but for its text.
    mutating func raiseRest(to other: WrittenContent) {
        hiddenBytes = max(hiddenBytes, other.hiddenBytes)
        media.raise(to: other.media)
    }

    /// What comes beside the text, in tokens.
    var beside: TokensBesideText {
        let hidden = UsageEstimate.tokens(inTextBytes: hiddenBytes) - UsageEstimate.tokens(inTextBytes: reasoningBytes)
        return TokensBesideText(
            image: media.pictureTokens, sound: media.soundTokens,
            // What is encrypted may hold the reasoning that was shown as well.
            reasoning: hiddenBytes == 0 ? 0 : max(0, hidden))
    }
}

/// Estimated tokens of an answer's output beside its text.
struct TokensBesideText: Hashable, Sendable {
    var image: Int64 = 0
    var sound: Int64 = 0
    var reasoning: Int64 = 0

    var total: Int64 { image + sound + reasoning }

    /// The rest of it where so much of the reasoning is known already.
    func without(reasoning known: Int64) -> TokensBesideText {
        TokensBesideText(image: image, sound: sound, reasoning: max(0, reasoning - known))
    }

    static func - (left: TokensBesideText, right: TokensBesideText) -> TokensBesideText {
        TokensBesideText(
            image: max(0, left.image - right.image), sound: max(0, left.sound - right.sound),
            reasoning: max(0, left.reasoning - right.reasoning))
    }
}
