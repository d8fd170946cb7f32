/// Takes out of an engine's own words what names the backend, its account or its key, before a client reads them.
///
/// Bytes are looked at word by word: what stands between spaces, quotes and brackets. A word that names something of
/// the operator's becomes `[redacted]`, the backend's name of the model becomes the client's. JSON's escapes and
/// percent-encoding are read as what they stand for (`DecodedText`), runs of Base64 too, and a secret is found where it
/// was broken into lines.
public struct ErrorRedaction: Sendable {
    private let kind: EngineKind
    private let host: [UInt8]
    private let secrets: [[UInt8]]
    private let upstreamModel: [UInt8]
    private let model: [UInt8]

    /// What is to be hidden of this backend. `model` is the name that the client asked for.
    public init(backend: Backend, upstreamModel: String, model: String) {
        kind = backend.kind
        host = Array(backend.host.lowercased().utf8)
        let credentials = backend.settings.aws
        secrets = [
            backend.apiKey, credentials?.accessKeyID, credentials?.secretAccessKey, credentials?.sessionToken,
        ].compactMap { $0.map { Array($0.utf8) } }.filter { $0.count >= 4 }
        self.upstreamModel = Array(upstreamModel.utf8)
        self.model = model.utf8.contains(where: Self.isDelimiter) ? [] : Array(model.utf8)
    }

    /// `body` as a client may see it; nil where nothing had to be changed. `keepsLength`: it was told its length.
    public func redacted(_ body: UnsafeRawBufferPointer, keepsLength: Bool = false) -> [UInt8]? {
        let text = DecodedText(body)
        var changes: [(range: Range<Int>, replacement: [UInt8])] = []
        func add(_ range: Range<Int>, of text: DecodedText, _ replacement: [UInt8]) {
            changes.append((text.origin(of: range.lowerBound)..<text.origin(of: range.upperBound), replacement))
        }
        text.bytes.withUnsafeBytes { bytes in
            Self.eachWord(of: bytes) { word in
                if let replacement = replacement(for: bytes.part(word)) { add(word, of: text, replacement) }
            }
        }
        let joined = text.joined
        for range in Base64Words.hidden(in: joined.bytes, { hides($0) }) { add(range, of: joined, Self.hidden) }
        if joined.bytes.count < text.bytes.count {
            for range in broken(in: joined.bytes) { add(range, of: joined, Self.hidden) }
        }
        for place in FailedGeneration.places(in: body) {
            let rest = keepsLength ? place.blank(in: body) : place.isText ? [] : Array("null".utf8)
            changes.append((place.range, rest))
        }
        guard !changes.isEmpty else { return nil }
        changes.sort { $0.range.lowerBound < $1.range.lowerBound }
        var output: [UInt8] = []
        var done = 0
        for change in changes {
            // What lies in the last one is hidden already.
            guard change.range.upperBound > done else { continue }
            if change.range.lowerBound >= done {
                output += body[done..<change.range.lowerBound]
                output += keepsLength ? Self.fitted(change.replacement, to: change.range.count) : change.replacement
            }
            done = change.range.upperBound
        }
        return output + body[done...]
    }

    private static func eachWord(of bytes: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
        var index = 0
        while index < bytes.count {
            while index < bytes.count, isDelimiter(bytes[index]) { index += 1 }
            let start = index
            while index < bytes.count, !isDelimiter(bytes[index]) { index += 1 }
            if index > start { body(start..<index) }
        }
    }

    /// Whether what a run of Base64 stands for has a word in it that nobody may see. Asterisks and dots, by which
    /// providers leave out a part of a key, are chance there.
    private func hides(_ decoded: [UInt8], depth: Int = 1) -> Bool {
        let text = DecodedText(decoded)
        let found = text.bytes.withUnsafeBytes { bytes in
            var found = false
            Self.eachWord(of: bytes) { word in
                let part = bytes.part(word)
                if found { return }
                found =
                    part.isVisibleASCII
                    ? isHidden(part, isEncoded: true) : secrets.contains { contains(part, $0) }
            }
            return found
        }
        if found || depth >= Self.base64DepthMax { return found }
        return !Base64Words.hidden(in: text.bytes, { hides($0, depth: depth + 1) }).isEmpty
    }

    /// Base64 inside Base64 is read no deeper.
    private static let base64DepthMax = 2

    /// Where secrets and the host stand that line ends had broken.
    private func broken(in bytes: [UInt8]) -> [Range<Int>] {
        var wanted = secrets
        if host.contains(UInt8(ascii: ".")) { wanted.append(host) }
        return bytes.withUnsafeBytes { text in
            wanted.flatMap { part in
                var found: [Range<Int>] = []
                var start = 0
                while let place = self.place(of: part, in: text, from: start) {
                    found.append(place..<place + part.count)
                    start = place + part.count
                }
                return found
            }
        }
    }

    private static let hidden = Array("[redacted]".utf8)

    /// As many bytes that say the same.
    /// What hides so many bytes: what stands in their place, if it is as long.
    private static func fitted(_ replacement: [UInt8], to count: Int) -> [UInt8] {
        if replacement.count == count { return replacement }
        return Array(hidden.prefix(count)) + [UInt8](repeating: UInt8(ascii: "*"), count: max(0, count - hidden.count))
    }

    private func replacement(for word: UnsafeRawBufferPointer) -> [UInt8]? {
        if !upstreamModel.isEmpty, !model.isEmpty, upstreamModel != model, isModel(word) {
            return model + word.dropFirst(upstreamModel.count)
        }
        return isHidden(word) ? Self.hidden : nil
    }

    /// The name, with or without what ends a sentence.
    private func isModel(_ word: UnsafeRawBufferPointer) -> Bool {
        guard word.count >= upstreamModel.count, word.count <= upstreamModel.count + 1,
            word.starts(with: upstreamModel)
        else { return false }
        return word.count == upstreamModel.count || Self.sentenceEnds.contains(word[word.count - 1])
    }

    private static let sentenceEnds = Array(".:!?".utf8)

    private func isHidden(_ word: UnsafeRawBufferPointer, isEncoded: Bool = false) -> Bool {
        guard word.count >= 4 else { return false }
        if secrets.contains(where: { isEncoded ? contains(word, $0) : isEcho(of: $0, word) }) { return true }
        if namesHost(word) { return true }
        // Whose account it is there.
        if kind == .openRouter, word.count >= Self.accountBytesMin, word.starts(with: "user_".utf8) { return true }
        if Self.beginnings.contains(where: { word.starts(with: $0) && word.count > $0.count + 3 }) { return true }
        if Self.parts.contains(where: { contains(word, $0) }) { return true }
        return isAccountNumber(word)
    }

    /// A name without a dot may be any word: it counts where it stands as a host does.
    private func namesHost(_ word: UnsafeRawBufferPointer) -> Bool {
        guard !host.isEmpty else { return false }
        if host.contains(UInt8(ascii: ".")) { return contains(word, host) }
        return contains(word, Array("//".utf8) + host) || contains(word, host + [UInt8(ascii: ":")])
    }

    /// The whole secret, or its ends around asterisks or dots, as providers echo it.
    private func isEcho(of secret: [UInt8], _ word: UnsafeRawBufferPointer) -> Bool {
        if word.count >= secret.count, contains(word, secret) { return true }
        let masks = word.lazy.filter { $0 == UInt8(ascii: "*") }.count
        if masks >= 3 { return true }
        return contains(word, Array("...".utf8)) && word.starts(with: secret.prefix(4))
    }

    /// Twelve digits name an account of Amazon's.
    private func isAccountNumber(_ word: UnsafeRawBufferPointer) -> Bool {
        guard kind == .bedrock || kind == .sageMaker else { return false }
        return word.lazy.filter { $0.decimalDigit != nil }.count == 12 && word.count <= 13
    }

    private func contains(_ word: UnsafeRawBufferPointer, _ part: [UInt8]) -> Bool {
        place(of: part, in: word, from: 0) != nil
    }

    private func place(of part: [UInt8], in text: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard !part.isEmpty, text.count - start >= part.count else { return nil }
        for place in start...text.count - part.count {
            var length = 0
            while length < part.count, text[place + length].lowercased == part[length].lowercased { length += 1 }
            ReadingSteps.add(length + 1)
            if length == part.count { return place }
        }
        return nil
    }

    /// Keys and accounts, by how they begin.
    private static let beginnings: [[UInt8]] = [
        "sk-", "sk_", "gsk_", "xai-", "AIza", "hf_", "r8_", "csk-", "nvapi-", "AKIA", "ASIA", "ya29.", "org-", "org_",
        "proj_", "acct_", "projects/", "organizations/", "subscriptions/",
    ].map { Array($0.utf8) }

    /// No account's name there is shorter.
    private static let accountBytesMin = 20

    /// Places in clouds and clusters, in lower case.
    private static let parts: [[UInt8]] = [
        "arn:aws", "/projects/", "/subscriptions/", ".svc.cluster.local", ".internal", ".openai.azure.com",
        ".amazonaws.com",
    ].map { Array($0.utf8) }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"), UInt8(ascii: "\\"),
            UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "<"), UInt8(ascii: ">"),
            UInt8(ascii: "="):
            true
        default: false
        }
    }
}

extension UInt8 {
    fileprivate var lowercased: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }
}
