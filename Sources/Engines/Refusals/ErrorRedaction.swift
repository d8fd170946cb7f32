/// Takes out of an engine's own words what names the backend, its account or its key, before a client reads them.
///
/// Bytes are looked at word by word: what stands between spaces, quotes and brackets. A word that names something of
/// the operator's becomes `[redacted]`, the backend's name of the model becomes the client's. JSON's escapes in a word
/// (`\u0061`, `\/`) are read as what they stand for, also where they are escaped again.
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

    /// The words that may pass; nil where all may.
    public func redacted(_ body: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let text = UnescapedText(body) else { return redactedPlain(body) }
        return text.bytes.withUnsafeBytes { bytes in
            redacted(bytes) { place in
                text.origins[place]
            } kept: { range in
                Array(body[range])
            }
        }
    }

    private func redactedPlain(_ body: UnsafeRawBufferPointer) -> [UInt8]? {
        var output: [UInt8] = []
        var kept = 0
        var index = 0
        while index < body.count {
            while index < body.count, Self.isDelimiter(body[index]) { index += 1 }
            let start = index
            while index < body.count, !Self.isDelimiter(body[index]) { index += 1 }
            guard index > start, let replacement = replacement(for: body.part(start..<index)) else { continue }
            output.append(contentsOf: body[kept..<start])
            output.append(contentsOf: replacement)
            kept = index
        }
        guard kept > 0 else { return nil }
        output.append(contentsOf: body[kept...])
        return output
    }

    /// The same of a body whose escapes were read: `origin` says where a byte stood, `kept` what stood there.
    private func redacted(
        _ bytes: UnsafeRawBufferPointer, origin: (Int) -> Int, kept: (Range<Int>) -> [UInt8]
    ) -> [UInt8]? {
        var output: [UInt8] = []
        var done = 0
        var index = 0
        while index < bytes.count {
            while index < bytes.count, Self.isDelimiter(bytes[index]) { index += 1 }
            let start = index
            while index < bytes.count, !Self.isDelimiter(bytes[index]) { index += 1 }
            guard index > start, let replacement = replacement(for: bytes.part(start..<index)) else { continue }
            output += kept(done..<origin(start)) + replacement
            done = origin(index)
        }
        guard done > 0 else { return nil }
        return output + kept(done..<origin(bytes.count))
    }

    private static let hidden = Array("[redacted]".utf8)

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

    private func isHidden(_ word: UnsafeRawBufferPointer) -> Bool {
        guard word.count >= 4 else { return false }
        if secrets.contains(where: { isEcho(of: $0, word) }) { return true }
        if namesHost(word) { return true }
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
        guard word.count >= part.count else { return false }
        for start in 0...word.count - part.count {
            var length = 0
            while length < part.count, word[start + length].lowercased == part[length].lowercased { length += 1 }
            if length == part.count { return true }
        }
        return false
    }

    /// Keys and accounts, by how they begin.
    private static let beginnings: [[UInt8]] = [
        "sk-", "sk_", "gsk_", "xai-", "AIza", "hf_", "r8_", "csk-", "nvapi-", "AKIA", "ASIA", "ya29.", "org-", "org_",
        "proj_", "acct_", "projects/", "organizations/", "subscriptions/",
    ].map { Array($0.utf8) }

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
