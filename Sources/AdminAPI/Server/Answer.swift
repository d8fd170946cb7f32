import HTTPTypes

/// What an endpoint answers.
struct Answer: Sendable {
    enum Body: Sendable {
        case json(JSONValue)
        /// JSON that was made elsewhere.
        case jsonText(String)
        case bytes([UInt8], mediaType: String)
    }

    var status: Int
    var body: Body
    /// The member whose value is shown this once and never stored.
    var secretMember: String?
    var headers: HTTPFields = [:]

    static func ok(_ json: JSONValue) -> Answer { Answer(status: 200, body: .json(json)) }

    static func created(_ json: JSONValue) -> Answer { Answer(status: 201, body: .json(json)) }

    /// A new key: the member `secret` is shown in this answer only.
    static func createdSecret(_ json: JSONValue) -> Answer {
        Answer(status: 201, body: .json(json), secretMember: "secret")
    }

    /// What a repeated call is answered: the same without the secret.
    var storedText: String {
        switch body {
        case .json(let json): secretMember.map { json.replacing($0, with: .null).jsonText } ?? json.jsonText
        case .jsonText(let text): text
        case .bytes(let bytes, _): String(decoding: bytes, as: UTF8.self)
        }
    }

    var bytes: [UInt8] {
        switch body {
        case .json(let json): Array(json.jsonText.utf8)
        case .jsonText(let text): Array(text.utf8)
        case .bytes(let bytes, _): bytes
        }
    }

    var mediaType: String {
        switch body {
        case .json, .jsonText: "application/json"
        case .bytes(_, let mediaType): mediaType
        }
    }
}
