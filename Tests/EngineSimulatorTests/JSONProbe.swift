import FoundationEssentials

/// JSON looked into by path, read by another reader than the simulator's.
indirect enum JSONProbe: Decodable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case array([JSONProbe])
    case object([String: JSONProbe])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONProbe].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONProbe].self))
        }
    }

    init(_ text: String) throws {
        self = try JSONDecoder().decode(JSONProbe.self, from: Data(text.utf8))
    }

    /// A member; null when there is none.
    subscript(name: String) -> JSONProbe {
        guard case .object(let members) = self else { return .null }
        return members[name] ?? .null
    }

    /// An element; null when there is none.
    subscript(index: Int) -> JSONProbe {
        guard case .array(let values) = self, values.indices.contains(index) else { return .null }
        return values[index]
    }

    var int: Int? {
        guard case .number(let value) = self else { return nil }
        return Int(value)
    }

    var string: String? {
        guard case .text(let value) = self else { return nil }
        return value
    }

    var elements: [JSONProbe] {
        guard case .array(let values) = self else { return [] }
        return values
    }
}

extension RawAnswer {
    /// The body as JSON.
    func json() throws -> JSONProbe { try JSONProbe(body) }
}

extension RawClient {
    /// Posts JSON and reads the whole answer.
    static func post(
        _ port: Int, _ path: String, _ body: String, headers: [String: String] = [:], settings: String = ""
    ) async throws -> RawAnswer {
        var headers = headers
        if !settings.isEmpty { headers["x-simulator"] = settings }
        return try await send(port: port, "POST", path, headers: headers, body: body)
    }
}
