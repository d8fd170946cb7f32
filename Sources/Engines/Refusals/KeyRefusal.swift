/// What tells a refusal of our key from one of the request.
extension RefusalRules {
    /// Whether nothing in a refusal of 403 speaks of our key or account. Filters in front of providers refuse a
    /// prompt's words with 403 too, as a page, a problem document or a sentence: what does not name the key is not held
    /// against a backend, whoever wrote it.
    static func isBareRefusal(
        _ kind: EngineKind, status: Int, _ text: EngineErrorText, body: UnsafeRawBufferPointer
    ) -> Bool {
        guard status == 403, rule(kind, status: status, text) == nil else { return false }
        let names = [text.code, text.type].compactMap { $0 }.filter { !$0.contains("/") }.map(plain)
        let isNamed = names.contains { name in
            keyNames.contains { name.replacing("keyword", with: "").contains($0) }
        }
        guard !isNamed else { return false }
        let isSentence = ![UInt8(ascii: "<"), UInt8(ascii: "{")].contains(
            body.first { $0 != 0x20 && !(0x09...0x0D).contains($0) })
        let message = text.message ?? (isSentence ? String(decoding: body.prefix(256), as: UTF8.self) : "")
        // What stands behind a quotation mark or a colon may be the client's.
        let own = message.lowercased().replacing("don't", with: "do not").prefix { !"'\"`:\u{201C}".contains($0) }
        let words = own.split { !$0.isLetter }
        return !words.contains { keyWords.contains(String($0)) } && !keyPhrases.contains { own.contains($0) }
    }

    /// Parts of codes and types.
    private static let keyNames = [
        "permission", "unauth", "notauth", "key", "credential", "accesstoken", "account", "billing", "subscription",
        "country", "region", "organization", "project", "insufficient",
    ]
    private static let keyWords: Set<String> = [
        "permission", "permissions", "key", "keys", "apikey", "credential", "credentials", "scope", "scopes",
        "authorized", "authorised", "unauthorized", "unauthorised", "authorization", "authenticated", "authentication",
        "account", "billing", "subscription", "organization", "organisation", "consumer", "workspace", "region",
        "country",
    ]
    private static let keyPhrases = [
        "api token", "access token", "your project", "this project", "service agent", "location is not supported",
        "you are not allowed", "you do not have", "access to the model", "access to this model",
        "access to model", "not enabled", "has been disabled",
    ]
}
