/// How a transcription names a sound that is not in it: by an address, or by an id of something that is kept. The
/// length of a sound is what a transcription costs, so it has to be handed in, as `file`.
enum SoundSource {
    /// Whether a member or part of this name is where engines look for a sound beside `file`, whatever it says.
    static func isOne(_ name: String) -> Bool {
        let words = words(of: name)
        guard let last = words.last else { return false }
        if words.count == 1 { return alone.contains(last) }
        return ends.contains(last) && words.dropLast().contains { things.contains($0) }
    }

    /// Whether the value says where a sound is to be had: it is an address, and the name is none of the client's own
    /// texts.
    static func isAddress(_ text: JSONText, in body: UnsafeRawBufferPointer, name: String) -> Bool {
        switch MediaAddress(text, in: body) {
        case .none, .data: return false
        case .web, .bucket, .local: return !texts.contains(name.lowercased())
        }
    }

    private static let alone: Set<String> = ["url", "urls", "uri", "uris", "source", "input", "path", "src", "link"]
    private static let ends: Set<String> = [
        "id", "ids", "url", "urls", "uri", "uris", "path", "paths", "key", "name", "ref", "link", "source", "handle",
    ]
    private static let things: Set<String> = [
        "file", "files", "audio", "sound", "media", "upload", "asset", "object", "blob", "document", "source", "input",
        "content", "recording", "attachment", "storage", "bucket", "s3", "gcs", "gs", "cloud", "video", "remote",
    ]
    private static let texts: Set<String> = ["prompt", "user", "instructions", "context", "hotwords", "system_prompt"]

    /// The words of a name, whether they stand apart by lines, dashes, dots or their first letters' case.
    private static func words(of name: String) -> [String] {
        var words: [String] = []
        var word = ""
        var wasLower = false
        for byte in name.utf8.prefix(100) {
            let character = Character(UnicodeScalar(byte))
            guard character.isLetter || character.isNumber else {
                if !word.isEmpty { words.append(word) }
                word = ""
                wasLower = false
                continue
            }
            if character.isUppercase, wasLower {
                words.append(word)
                word = ""
            }
            wasLower = !character.isUppercase
            word.append(character.lowercased())
        }
        if !word.isEmpty { words.append(word) }
        return words
    }
}
