public import Metering

extension InferenceRequest {
    /// Reads the body of an OpenAI-style request.
    ///
    /// The body must be one JSON object in UTF-8, with each field that the gateway reads written at most once: if the
    /// gateway read one `model` and the engine another, the bill would be for the wrong one.
    public init(reading body: UnsafeRawBufferPointer, surface: Surface) throws(RequestError) {
        self.init(surface: surface)
        guard UTF8Check.isValid(body) else {
            throw RequestError(
                message: "The body is not valid UTF-8. Send JSON encoded as UTF-8.", code: "invalid_json")
        }
        var reader = RequestReader(body: body)
        do throws(ReadingError) {
            try reader.read(into: &self)
        } catch {
            throw error.refusal
        }
        guard !modelRange.isEmpty else {
            throw RequestError(
                message: "You must provide a model parameter. GET /v1/models lists the models you can use.",
                parameter: "model", code: "missing_required_parameter")
        }
    }
}

extension InferenceRequest {
    /// Reads the body of a call of a system's own API; the path may have named model and stream already.
    public init(reading body: UnsafeRawBufferPointer, native call: NativeCall) throws(RequestError) {
        self.init(surface: call.surface)
        native = call
        model = call.model ?? ""
        isStream = call.isStream
    }
}

private enum ReadingError: Error {
    case json(JSONScanError)
    case refused(RequestError)

    var refusal: RequestError {
        switch self {
        case .refused(let refusal): refusal
        case .json(let error):
            RequestError(
                message: "The body is not valid JSON: \(error.problem.rawValue) at byte \(error.offset).",
                code: "invalid_json")
        }
    }
}

/// The fields that the gateway reads; anything else passes unread.
private enum Field: UInt16, CaseIterable {
    case model, stream, streamOptions, maxTokens, maxCompletionTokens, choices, serviceTier, user, metadata
    case messages, prompt, input

    var name: StaticString {
        switch self {
        case .model: "model"
        case .stream: "stream"
        case .streamOptions: "stream_options"
        case .maxTokens: "max_tokens"
        case .maxCompletionTokens: "max_completion_tokens"
        case .choices: "n"
        case .serviceTier: "service_tier"
        case .user: "user"
        case .metadata: "metadata"
        case .messages: "messages"
        case .prompt: "prompt"
        case .input: "input"
        }
    }
}

private struct RequestReader {
    let body: UnsafeRawBufferPointer
    private var scanner: JSONScanner
    private var promptCount: Int64 = 1

    init(body: UnsafeRawBufferPointer) {
        self.body = body
        scanner = JSONScanner(body)
    }

    mutating func read(into request: inout InferenceRequest) throws(ReadingError) {
        do {
            guard try scanner.kind() == .object else {
                throw ReadingError.refused(
                    RequestError(message: "The body must be a JSON object.", code: "invalid_json"))
            }
            try scanner.beginObject()
            request.insideStart = scanner.offset
            var seen: UInt16 = 0
            while let key = try scanner.nextKey() {
                guard let field = Field.allCases.first(where: { key.equals($0.name, in: body) }) else {
                    try refuseOtherCase(of: key)
                    try scanner.skip()
                    continue
                }
                guard seen & (1 << field.rawValue) == 0 else {
                    throw ReadingError.refused(
                        RequestError(
                            message: "The field '\(field.name)' is given twice. Give it once.",
                            parameter: field.name.description, code: "duplicate_field"))
                }
                seen |= 1 << field.rawValue
                try read(field, into: &request)
            }
            try scanner.end()
            request.choiceCount *= promptCount
        } catch let error as JSONScanError {
            throw .json(error)
        } catch let error as ReadingError {
            throw error
        } catch {
            throw .refused(RequestError(message: "The body cannot be read.", code: "invalid_json"))
        }
    }

    /// Some engines match names without regard to case, Go's JSON among them: `Model` beside `model` would be served
    /// as one model and billed as the other.
    private func refuseOtherCase(of key: JSONText) throws(ReadingError) {
        guard key.isEscaped || body[key.range].contains(where: { (65...90).contains($0) }) else { return }
        let name = key.value(in: body).lowercased()
        guard let field = Field.allCases.first(where: { $0.name.description == name }) else { return }
        throw .refused(
            RequestError(
                message: "Field names are lowercase: write '\(field.name)'.", parameter: field.name.description,
                code: "unknown_field"))
    }

    private mutating func read(_ field: Field, into request: inout InferenceRequest) throws {
        let kind = try scanner.kind()
        if kind == .null, field != .model, field != .streamOptions { return try scanner.null() }
        switch field {
        case .model:
            let text = try text(of: field, kind)
            request.model = text.value(in: body)
            request.modelRange = text.range.lowerBound - 1..<text.range.upperBound + 1
        case .stream:
            guard kind == .bool else { throw wrongType(field, "a boolean") }
            request.isStream = try scanner.bool()
        case .streamOptions: try readStreamOptions(kind, into: &request)
        case .maxTokens, .maxCompletionTokens:
            let limit = try integer(of: field, kind)
            request.outputTokensMax = min(request.outputTokensMax ?? limit, limit)
        case .choices: request.choiceCount = min(max(1, try integer(of: field, kind)), 1024)
        case .serviceTier: request.serviceTier = try text(of: field, kind).value(in: body)
        case .user: request.tags.append(Tag(name: "user", value: try text(of: field, kind).value(in: body)))
        case .metadata: try readMetadata(kind, into: &request)
        case .messages: request.promptTextBytes += try messageBytes(kind)
        case .prompt, .input: request.promptTextBytes += try promptBytes(kind, field)
        }
    }

    private mutating func readStreamOptions(_ kind: JSONKind, into request: inout InferenceRequest) throws {
        if kind == .null {
            request.streamOptions = .null(try scanner.skip())
            return
        }
        guard kind == .object else { throw wrongType(.streamOptions, "an object") }
        try scanner.beginObject()
        let insideStart = scanner.offset
        var isEmpty = true
        var usage: (range: Range<Int>, isTrue: Bool)?
        while let key = try scanner.nextKey() {
            isEmpty = false
            guard key.equals("include_usage", in: body) else {
                try scanner.skip()
                continue
            }
            guard usage == nil else {
                throw ReadingError.refused(
                    RequestError(
                        message: "The field 'stream_options.include_usage' is given twice. Give it once.",
                        parameter: "stream_options", code: "duplicate_field"))
            }
            let range = try scanner.skip()
            usage = (range, body.equals("true", in: range))
        }
        request.wantsUsageChunk = usage?.isTrue == true
        request.streamOptions =
            switch usage {
            case .none: .object(insideStart: insideStart, isEmpty: isEmpty)
            case .some((_, true)): .included
            case .some((let range, false)): .refused(range)
            }
    }

    /// Text values become tags; anything else is the engine's business.
    private mutating func readMetadata(_ kind: JSONKind, into request: inout InferenceRequest) throws {
        guard kind == .object else { throw wrongType(.metadata, "an object") }
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            guard try scanner.kind() == .string else {
                try scanner.skip()
                continue
            }
            let value = try scanner.string().value(in: body)
            request.tags.append(Tag(name: key.value(in: body), value: value))
        }
    }

    /// Counts the text of messages: `content` as a string, or the `text` of its parts.
    private mutating func messageBytes(_ kind: JSONKind) throws -> Int64 {
        guard kind == .array else { throw wrongType(.messages, "an array") }
        var bytes: Int64 = 0
        try scanner.beginArray()
        while try beginNextObject() {
            while let key = try scanner.nextKey() {
                if key.equals("content", in: body) {
                    bytes += try contentBytes()
                } else {
                    try scanner.skip()
                }
            }
        }
        return bytes
    }

    private mutating func contentBytes() throws -> Int64 {
        switch try scanner.kind() {
        case .string: return Int64(try scanner.string().valueByteCount(in: body))
        case .array:
            var bytes: Int64 = 0
            try scanner.beginArray()
            while try beginNextObject() {
                while let key = try scanner.nextKey() {
                    if key.equals("text", in: body), try scanner.kind() == .string {
                        bytes += Int64(try scanner.string().valueByteCount(in: body))
                    } else {
                        try scanner.skip()
                    }
                }
            }
            return bytes
        default:
            try scanner.skip()
            return 0
        }
    }

    /// Enters the next object of the array that the scanner is in, past elements of other kinds; false at its end.
    private mutating func beginNextObject() throws -> Bool {
        while try scanner.nextElement() {
            if try scanner.kind() == .object {
                try scanner.beginObject()
                return true
            }
            try scanner.skip()
        }
        return false
    }

    /// A prompt is a text, a list of tokens, or a list of either; lists of prompts multiply the choices.
    private mutating func promptBytes(_ kind: JSONKind, _ field: Field) throws -> Int64 {
        switch kind {
        case .string: return Int64(try scanner.string().valueByteCount(in: body))
        case .array:
            var bytes: Int64 = 0
            var prompts: Int64 = 0
            try scanner.beginArray()
            while try scanner.nextElement() {
                let element = try scanner.kind()
                if element == .number {
                    _ = try scanner.number()
                    bytes += UsageEstimate.bytesPerToken
                } else {
                    prompts += 1
                    bytes += element == .object ? try skipped() : try promptBytes(element, field)
                }
            }
            if field == .prompt { promptCount = max(1, prompts) }
            return bytes
        default: throw wrongType(field, "a string or an array")
        }
    }

    private mutating func skipped() throws -> Int64 {
        try scanner.skip()
        return 0
    }

    private mutating func text(of field: Field, _ kind: JSONKind) throws -> JSONText {
        guard kind == .string else { throw wrongType(field, "a string") }
        return try scanner.string()
    }

    private mutating func integer(of field: Field, _ kind: JSONKind) throws -> Int64 {
        guard kind == .number, let value = try scanner.number() else { throw wrongType(field, "an integer") }
        return value
    }

    private func wrongType(_ field: Field, _ expected: String) -> ReadingError {
        .refused(
            RequestError(
                message: "The field '\(field.name)' must be \(expected).", parameter: field.name.description,
                code: "invalid_type"))
    }
}
