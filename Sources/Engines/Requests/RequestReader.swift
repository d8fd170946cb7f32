internal import Metering

/// Reads the members of a JSON body that a table names, each at most once, and passes over the rest.
struct RequestReader {
    let body: UnsafeRawBufferPointer
    private var scanner: JSONScanner
    private var promptCount: Int64 = 1

    static func read(_ body: UnsafeRawBufferPointer, into request: inout InferenceRequest) throws(ReadingError) {
        guard UTF8Check.isValid(body) else {
            throw .refused(
                RequestError(
                    message: "The body is not valid UTF-8. Send JSON encoded as UTF-8.", code: "invalid_json"))
        }
        var reader = RequestReader(body: body)
        do {
            try reader.read(into: &request)
        } catch let error as JSONScanError {
            throw .json(error)
        } catch let error as ReadingError {
            throw error
        } catch {
            throw .refused(RequestError(message: "The body cannot be read.", code: "invalid_json"))
        }
    }

    private init(body: UnsafeRawBufferPointer) {
        self.body = body
        scanner = JSONScanner(body)
    }

    private mutating func read(into request: inout InferenceRequest) throws {
        guard try scanner.kind() == .object else {
            throw ReadingError.refused(
                RequestError(message: "The body must be a JSON object.", code: "invalid_json"))
        }
        try scanner.beginObject()
        let start = scanner.offset
        let hasMembers = try readMembers(RequestField.table(for: request.surface), into: &request)
        request.body = .json(insideStart: start, isEmpty: !hasMembers)
        try scanner.end()
        request.choiceCount = min(request.choiceCount * promptCount, RequestReader.choicesMax)
    }

    private static let choicesMax: Int64 = 1024 * 1024

    /// The members of the object that the scanner has entered. Returns whether there were any.
    @discardableResult
    private mutating func readMembers(_ table: [RequestField], into request: inout InferenceRequest) throws -> Bool {
        var seen: UInt32 = 0
        var hasAny = false
        while let key = try scanner.nextKey() {
            hasAny = true
            guard let index = table.firstIndex(where: { key.equals($0.name, in: body) }) else {
                try refuseOtherCase(of: key, table)
                try scanner.skip()
                continue
            }
            let field = table[index]
            guard seen & (1 << UInt32(index)) == 0 else { throw ReadingError.givenTwice(field.name.description) }
            seen |= 1 << UInt32(index)
            try read(field, into: &request)
        }
        return hasAny
    }

    private func refuseOtherCase(of key: JSONText, _ table: [RequestField]) throws(ReadingError) {
        // Nearly all names are in lower case, as nearly all fields are: then there is nothing to compare.
        let hasCapitals = key.isEscaped || body[key.range].contains { (65...90).contains($0) }
        guard key.range.count <= 64 || key.isEscaped, hasCapitals || table.contains(where: \.hasCapitals) else {
            return
        }
        let name = key.value(in: body).lowercased()
        for field in table where field.name.description.lowercased() == name {
            throw .otherCase(field.name.description)
        }
    }

    private mutating func read(_ field: RequestField, into request: inout InferenceRequest) throws {
        let name = field.name
        let kind = try scanner.kind()
        if kind == .null, try readNull(field, into: &request) { return }
        switch field.role {
        case .model:
            let text = try text(name, kind)
            request.model = text.value(in: body)
            request.modelRange = text.range.lowerBound - 1..<text.range.upperBound + 1
        case .stream:
            guard kind == .bool else { throw ReadingError.wrongType(name.description, "a boolean") }
            request.isStream = try scanner.bool()
            request.asksForStream = request.isStream
        case .streamOptions: try readStreamOptions(kind, into: &request)
        case .outputTokensMax:
            let limit = try integer(name, kind)
            request.outputTokensMax = min(request.outputTokensMax ?? limit, limit)
        case .choices: request.choiceCount = min(max(1, try integer(name, kind)), 1024)
        case .serviceTier: request.serviceTier = try text(name, kind).value(in: body)
        case .serviceTierObject: try readTierObject(kind, into: &request)
        case .user: request.tags.append(Tag(name: "user", value: try text(name, kind).value(in: body)))
        case .metadata: try readMetadata(name, kind, into: &request)
        case .messages:
            guard kind == .array else { throw ReadingError.wrongType(name.description, "an array") }
            request.hasMessages = true
            request.promptTextBytes += try textBytes(kind)
        case .prompt, .prompts:
            guard kind == .string || kind == .array else {
                throw ReadingError.wrongType(name.description, "a string or an array")
            }
            request.hasMessages = true
            if case .prompts = field.role, kind == .array {
                request.promptTextBytes += try promptsBytes()
            } else {
                request.promptTextBytes += try textBytes(kind)
            }
        case .text:
            if name.description == "inputs" { request.hasInputs = true }
            request.promptTextBytes += try textBytes(kind)
        case .documents:
            guard kind == .array else { throw ReadingError.wrongType(name.description, "an array") }
            try scanner.beginArray()
            while try scanner.nextElement() {
                request.promptTextBytes += try textBytes(scanner.kind())
                request.bodyMeasures.documents += 1
            }
        case .spoken:
            let spoken = try text(name, kind).value(in: body)
            request.promptTextBytes += Int64(spoken.utf8.count)
            request.bodyMeasures.characters = Int64(spoken.unicodeScalars.count)
        case .streamFormat:
            if try text(name, kind).value(in: body) == "sse" { request.isStream = true }
        case .responseFormat: try readFormat(kind, into: &request)
        case .nested(let table):
            guard kind == .object else { throw ReadingError.wrongType(name.description, "an object") }
            try scanner.beginObject()
            try readMembers(table, into: &request)
        case .parameters(let table):
            guard kind == .object else { throw ReadingError.wrongType(name.description, "an object") }
            try scanner.beginObject()
            let start = scanner.offset
            let hasAny = try readMembers(table, into: &request)
            request.usageOptions.parametersStart = start
            request.usageOptions.areParametersEmpty = !hasAny
        case .usageOption:
            let range = try scanner.skip()
            request.usageOptions.flags[name.description] = InferenceRequest.Flag(
                range: range, isTrue: body.equals("true", in: range))
        }
    }

    /// Null is as good as silence, except where it has to be written over, and for the model. Returns whether it was
    /// taken.
    private mutating func readNull(_ field: RequestField, into request: inout InferenceRequest) throws -> Bool {
        switch field.role {
        case .model, .streamOptions, .usageOption: return false
        case .parameters: request.usageOptions.nullParameters = try scanner.skip()
        default: try scanner.null()
        }
        return true
    }

    // MARK: Objects

    private mutating func readStreamOptions(_ kind: JSONKind, into request: inout InferenceRequest) throws {
        if kind == .null {
            request.streamOptions = .null(try scanner.skip())
            return
        }
        guard kind == .object else { throw ReadingError.wrongType("stream_options", "an object") }
        try scanner.beginObject()
        let insideStart = scanner.offset
        var isEmpty = true
        var usage: InferenceRequest.Flag?
        var continuous: InferenceRequest.Flag?
        while let key = try scanner.nextKey() {
            isEmpty = false
            let isUsage = key.equals("include_usage", in: body)
            guard isUsage || key.equals("continuous_usage_stats", in: body) else {
                try scanner.skip()
                continue
            }
            let name = isUsage ? "include_usage" : "continuous_usage_stats"
            guard (isUsage ? usage : continuous) == nil else {
                throw ReadingError.refused(
                    RequestError(
                        message: "The field 'stream_options.\(name)' is given twice. Give it once.",
                        parameter: "stream_options", code: "duplicate_field"))
            }
            let range = try scanner.skip()
            let flag = InferenceRequest.Flag(range: range, isTrue: body.equals("true", in: range))
            if isUsage { usage = flag } else { continuous = flag }
        }
        request.wantsUsageChunk = usage?.isTrue == true
        request.wantsContinuousUsage = request.wantsUsageChunk && continuous?.isTrue == true
        request.streamOptions = .object(
            insideStart: insideStart, isEmpty: isEmpty, usage: usage, continuous: continuous)
    }

    private mutating func readTierObject(_ kind: JSONKind, into request: inout InferenceRequest) throws {
        guard kind == .object else { throw ReadingError.wrongType("serviceTier", "an object") }
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            if try scanner.kind() == .string, key.equals("type", in: body) {
                request.serviceTier = try scanner.string().value(in: body)
            } else {
                try scanner.skip()
            }
        }
    }

    /// Text values become tags; anything else is the engine's business.
    private mutating func readMetadata(
        _ name: StaticString, _ kind: JSONKind, into request: inout InferenceRequest
    ) throws {
        guard kind == .object else { throw ReadingError.wrongType(name.description, "an object") }
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

    private mutating func readFormat(_ kind: JSONKind, into request: inout InferenceRequest) throws {
        guard kind == .string else {
            try scanner.skip()
            return
        }
        request.responseFormat = try scanner.string().value(in: body)
    }

    // MARK: Text

    /// The members of messages, parts and documents under which text stands, at whatever depth.
    static let textFields: [StaticString] = ["content", "text", "parts", "output", "toolResult", "summary"]

    /// Bytes of the text in a value of whatever form; a token given as a number counts as `bytesPerToken`.
    private mutating func textBytes(_ kind: JSONKind) throws -> Int64 {
        switch kind {
        case .string: return Int64(try scanner.string().valueByteCount(in: body))
        case .number:
            _ = try scanner.number()
            return UsageEstimate.bytesPerToken
        case .array:
            var bytes: Int64 = 0
            try scanner.beginArray()
            while try scanner.nextElement() { bytes += try textBytes(scanner.kind()) }
            return bytes
        case .object:
            var bytes: Int64 = 0
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let kind = try scanner.kind()
                if kind != .number, RequestReader.textFields.contains(where: { key.equals($0, in: body) }) {
                    bytes += try textBytes(kind)
                } else {
                    try scanner.skip()
                }
            }
            return bytes
        case .bool, .null:
            try scanner.skip()
            return 0
        }
    }

    /// A list of prompts multiplies the choices; a list of tokens is one prompt.
    private mutating func promptsBytes() throws -> Int64 {
        var bytes: Int64 = 0
        var prompts: Int64 = 0
        try scanner.beginArray()
        while try scanner.nextElement() {
            let kind = try scanner.kind()
            if kind != .number { prompts += 1 }
            bytes += try textBytes(kind)
        }
        promptCount = max(1, prompts)
        return bytes
    }

    // MARK: Scalars

    private mutating func text(_ name: StaticString, _ kind: JSONKind) throws -> JSONText {
        guard kind == .string else { throw ReadingError.wrongType(name.description, "a string") }
        return try scanner.string()
    }

    private mutating func integer(_ name: StaticString, _ kind: JSONKind) throws -> Int64 {
        guard kind == .number, let value = try scanner.number() else {
            throw ReadingError.wrongType(name.description, "an integer")
        }
        return value
    }
}
