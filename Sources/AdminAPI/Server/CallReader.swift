import Accounts
import Identity
import Metering

/// Checks what came over the wire against an endpoint's description. Everything that is wrong is reported at once.
struct CallReader {
    let endpoint: Endpoint

    /// Query parameters on a line, more of them than any endpoint has.
    static let queryCountMax = 64

    /// The values of the query, or a problem that names each wrong parameter.
    func query(_ text: String) throws(Problem) -> [String: JSONValue] {
        var values: [String: JSONValue] = [:]
        var tags: [JSONValue.Member] = []
        var complaints: [Schema.Complaint] = []
        let pairs = text.split(separator: "&")
        guard pairs.count <= CallReader.queryCountMax else {
            throw .invalid("query", "has more than \(CallReader.queryCountMax) parameters")
        }
        for pair in pairs {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decoded(parts[0], plusIsSpace: true),
                let value = PercentEncoding.decoded(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
            else {
                complaints.append(.init(parameter: String(parts[0]), detail: "is not percent-encoded UTF-8"))
                continue
            }
            if name.hasPrefix("tag."), takesTags {
                let tag = String(name.dropFirst(4))
                if tag.isEmpty || tag.utf8.contains(0) || tag.utf8.count > Tag.nameBytesMax {
                    complaints.append(
                        .init(parameter: "tags", detail: "have names of 1 to \(Tag.nameBytesMax) bytes without NUL"))
                } else if tags.contains(where: { $0.name == tag }) {
                    complaints.append(.init(parameter: "tag.\(tag)", detail: "is given twice"))
                } else {
                    tags.append(.init(name: tag, value: .string(value)))
                }
                continue
            }
            guard let parameter = queryParameters.first(where: { $0.name == name && $0.style != .tags }) else {
                complaints.append(.init(parameter: name, detail: "is not known here; known are \(knownNames)"))
                continue
            }
            if values[name] != nil { complaints.append(.init(parameter: name, detail: "is given twice")) }
            values[name] = CallReader.value(value, of: parameter)
        }
        if !tags.isEmpty { values["tags"] = .object(tags) }
        complaints += missing(values)
        for parameter in queryParameters {
            if let value = values[parameter.name] {
                complaints += parameter.schema.complaints(about: value, at: parameter.name)
            }
        }
        guard complaints.isEmpty else { throw .invalid(complaints) }
        return values
    }

    /// Refuses text in the path that can name nothing. Ids and numbers are told by whoever looks for them.
    func requirePath(_ values: [String: String]) throws(Problem) {
        for parameter in endpoint.parameters where parameter.location == .path {
            guard case .string(let rule) = parameter.schema.kind, case nil = rule.format,
                let text = values[parameter.name], rule.complaint(about: text) != nil
            else { continue }
            throw .notFound("\(parameter.name) of that name")
        }
    }

    private var queryParameters: [Parameter] { endpoint.parameters.filter { $0.location == .query } }

    private var takesTags: Bool { queryParameters.contains { $0.style == .tags } }

    private var knownNames: String {
        queryParameters.isEmpty
            ? "none" : queryParameters.map { $0.style == .tags ? "tag.NAME" : $0.name }.joined(separator: ", ")
    }

    private func missing(_ values: [String: JSONValue]) -> [Schema.Complaint] {
        queryParameters.filter { $0.isRequired && values[$0.name] == nil }
            .map { .init(parameter: $0.name, detail: "is missing") }
    }

    /// The text as the schema's kind; text that is none stays text, so that the schema complains.
    private static func value(_ text: String, of parameter: Parameter) -> JSONValue {
        switch (parameter.style, parameter.schema.kind) {
        case (.list, _): .array(text.split(separator: ",").map { .string(String($0)) })
        case (_, .integer): Int64(text).map { .integer(Int128($0)) } ?? .string(text)
        case (_, .boolean): text == "true" ? true : text == "false" ? false : .string(text)
        default: .string(text)
        }
    }
}

// MARK: - Bodies

extension CallReader {
    /// The body as JSON that fits the schema; an empty object where the endpoint takes none.
    func body(_ bytes: [UInt8], mediaType: String?) throws(Problem) -> JSONValue {
        guard let rule = endpoint.body else {
            guard bytes.isEmpty else { throw .invalid("", "must be empty: this call takes no body") }
            return .object([])
        }
        if bytes.isEmpty {
            // No body is an empty object; what it lacks is named like any other member.
            let complaints = rule.schema.complaints(about: .object([]), at: "")
            guard complaints.isEmpty else { throw .invalid(complaints) }
            return .object([])
        }
        let essence = mediaType.map {
            $0.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
        }
        if let essence, rule.documentMediaTypes.contains(essence) {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .invalid("", "is not UTF-8")
            }
            return ["document": .string(text)]
        }
        guard essence == "application/json" else {
            let accepted = (["application/json"] + rule.documentMediaTypes).joined(separator: ", ")
            throw Problem(415, .unsupportedMediaType, "send the header content-type with one of \(accepted)")
        }
        let json: JSONValue
        do {
            json = try JSONValue(bytes: bytes)
        } catch {
            throw .invalid("", "is not valid JSON")
        }
        let complaints = rule.schema.complaints(about: json, at: "")
        guard complaints.isEmpty else { throw .invalid(complaints) }
        return json
    }
}
