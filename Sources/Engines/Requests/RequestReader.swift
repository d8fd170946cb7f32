internal import Metering

/// Reads the members of a JSON body that a table names, each at most once, and passes over the rest.
struct RequestReader {
    let body: UnsafeRawBufferPointer
    var scanner: JSONScanner
    var input: InputReader
    private var promptCount: Int64 = 1
    private var hasPrompts = false

    static func read(_ body: UnsafeRawBufferPointer, into request: inout InferenceRequest) throws(ReadingError) {
        guard UTF8Check.isValid(body) else {
            throw .refused(
                RequestError(
                    message: "The body is not valid UTF-8. Send JSON encoded as UTF-8.", code: "invalid_json"))
        }
        var reader = RequestReader(body: body, surface: request.surface)
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

    private init(body: UnsafeRawBufferPointer, surface: Surface) {
        self.body = body
        scanner = JSONScanner(body)
        input = InputReader(body, AllowedTools.Form(surface))
        input.takesBareAddresses = surface == .embeddings || surface == .rerank
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
        request.features = input.features
        request.otherTool = input.otherTool
        request.namesAddress = input.namesAddress
        request.pictureModel = input.pictures.model
        if input.pictures.areOfSeveralModels { throw ReadingError.refused(PictureTools.severalModels) }
        request.possiblePath = input.possiblePath
        request.restrictedMembers.formUnion(input.restricted)
        request.bodyMeasures.asksForSearches = input.features.contains(.webSearch)
        if input.searchesAlways { request.bodyMeasures.searchesAlways = true }
        if let address = input.refusedAddress { throw ReadingError.localAddress(address) }
        request.choiceCount = min(request.choiceCount * promptCount, RequestReader.choicesMax)
        request.promptCount = promptCount
        request.input = input.measure
        if request.surface == .sageMakerInvocations {
            // Which names mean anything depends on the form that the container takes the body for.
            if request.hasInputs { request.lengths.restrict(to: .native) }
            if request.hasMessages { request.lengths.restrict(to: [.maxTokens, .maxCompletionTokens]) }
        }
    }

    /// Choices of one prompt; nobody serves more.
    static let choicesEachMax: Int64 = 1024
    private static let choicesMax: Int64 = 1024 * 1024

    /// The members of the object that the scanner has entered. Returns whether there were any.
    @discardableResult
    mutating func readMembers(
        _ table: RequestTable, of parent: String = "", into request: inout InferenceRequest
    ) throws -> Bool {
        assert(table.fields.count <= UInt128.bitWidth)
        let mayWish = parent.isEmpty || ReasoningWish.parents.contains(parent)
        var seen: UInt128 = 0
        var hasAny = false
        while let key = try scanner.nextKey() {
            hasAny = true
            if mayWish, let wish = try ReasoningWish(key, scanner, body) {
                request.reasoning.take(wish)
            }
            let restricted = try RestrictedMember.asked(key, in: parent, scanner, body)
            request.restrictedMembers.formUnion(restricted)
            switch table.names.match(key, in: body) {
            case .none:
                if request.surface == .audioTranscriptions { try refuseSound(key) }
                // What is refused by its name is looked at no further.
                try input.readOther(key, &scanner, isLookedAt: restricted.isEmpty)
            case .folds(let index): throw ReadingError.otherCase(table.fields[index].name.description)
            case .name(let index):
                let field = table.fields[index]
                guard seen & (1 << UInt128(index)) == 0 else { throw ReadingError.givenTwice(field.name.description) }
                seen |= 1 << UInt128(index)
                try read(field, key, into: &request)
            }
        }
        return hasAny
    }

    /// Refuses what a transcription names a sound by that is not in it.
    private func refuseSound(_ key: JSONText) throws {
        var value = scanner
        let kind = try value.kind()
        guard kind != .null, kind != .bool else { return }
        let name = RequestedTool.shown(key, in: body)
        let isAddress = kind == .string ? SoundSource.isAddress(try value.string(), in: body, name: name) : false
        if isAddress || SoundSource.isOne(name) { throw ReadingError.soundAddress(name) }
    }

    private mutating func read(
        _ field: RequestField, _ key: JSONText, into request: inout InferenceRequest
    ) throws {
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
        case .outputTokensMax(let known): request.lengths.take(try integer(name, kind), as: known)
        case .outputTokensMin: request.lengths.takeLeast(try integer(name, kind))
        case .choices, .bestOf:
            let count = try integer(name, kind)
            guard (1...RequestReader.choicesEachMax).contains(count) else {
                throw ReadingError.wrongType(name.description, "an integer from 1 to \(RequestReader.choicesEachMax)")
            }
            request.choiceCount = max(request.choiceCount, count)
            if case .bestOf = field.role { request.bestOf = count }
        case .serviceTier: request.serviceTier = try text(name, kind).value(in: body)
        case .serviceTierObject: try readTierObject(kind, into: &request)
        case .user: request.tags.append(Tag(name: "user", value: try text(name, kind).value(in: body)))
        case .metadata: try readMetadata(name, kind, into: &request)
        case .messages:
            guard kind == .array else { throw ReadingError.wrongType(name.description, "an array") }
            request.hasMessages = true
            try input.readPrompt(&scanner)
        case .prompt, .prompts:
            guard kind == .string || kind == .array else {
                throw ReadingError.wrongType(name.description, "a string or an array")
            }
            request.hasMessages = true
            let count = try input.readPrompt(&scanner)
            if case .prompts = field.role { takePrompts(count) }
        case .embeddedPrompts: try readEmbeddedPrompts(kind)
        case .textOfMembers(let table): try readInside(text(name, kind), table, name, into: &request)
        case .text:
            if name.description == "inputs" {
                request.hasInputs = true
                try input.refusePictures(inMarkdownAt: scanner)
            }
            try input.readPrompt(&scanner)
        case .media(let kind): try input.readMedia(kind, &scanner)
        case .contextManagement, .template:
            if case .template = field.role { request.choosesTemplate = true } else { request.managesContext = true }
            try input.readOther(key, &scanner)
        case .documents, .store, .soundAddress, .sound, .repeatedModel, .embedRequests, .embedInstances:
            try readSpecial(field, kind, into: &request)
        case .setting: try scanner.skip()
        case .spoken: takeSpoken(try text(name, kind), into: &request)
        case .streamFormat:
            if try text(name, kind).value(in: body) == "sse" { request.isStream = true }
        case .responseFormat: try readFormat(kind, into: &request)
        case .nested(let table):
            guard kind == .object else { throw ReadingError.wrongType(name.description, "an object") }
            try scanner.beginObject()
            try readMembers(table, of: name.description, into: &request)
        case .voice, .within: try readLoosely(field, key, kind, into: &request)
        case .parameters(let table):
            guard kind == .object else { throw ReadingError.wrongType(name.description, "an object") }
            try scanner.beginObject()
            let start = scanner.offset
            let hasAny = try readMembers(table, of: name.description, into: &request)
            request.usageOptions.parametersStart = start
            request.usageOptions.areParametersEmpty = !hasAny
        case .tools: try readTools(name, kind, key)
        case .modalities: input.features.formUnion(try RequestedFeatures.readModalities(&scanner, in: body))
        case .search(let role): try readSearch(role, key, into: &request)
        case .usageOption:
            let range = try scanner.skip()
            request.usageOptions.flags[name.description] = InferenceRequest.Flag(
                range: range, isTrue: body.equals("true", in: range))
        }
    }

    private mutating func readSearch(
        _ role: SearchSwitch, _ key: JSONText, into request: inout InferenceRequest
    ) throws {
        let searches = try input.readSwitch(role, key, scanner)
        // OpenAI's search models, OpenRouter's plugin and Zhipu's switch search before the model says anything.
        if searches, role != .mode, role != .flag { request.bodyMeasures.searchesAlways = true }
        try input.readOther(key, &scanner)
    }

    /// Some readers take an object for a list of one, so no other value than a list passes.
    private mutating func readTools(_ name: StaticString, _ kind: JSONKind, _ key: JSONText) throws {
        guard kind == .array else { throw ReadingError.wrongType(name.description, "an array") }
        try input.readTools(key, &scanner)
    }

    /// Text to be read out: input, and sold by the character.
    private mutating func takeSpoken(_ spoken: JSONText, into request: inout InferenceRequest) {
        // How it is to be read out is read by the model as well.
        request.bodyMeasures.characters += Int64(spoken.value(in: body).unicodeScalars.count)
        input.takeText(Int64(spoken.valueByteCount(in: body)), isPrompt: true)
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

    // MARK: Prompts

    /// Prompts may stand in two members, and all of them are answered.
    private mutating func takePrompts(_ count: Int64) {
        promptCount = (hasPrompts ? promptCount : 0) + max(1, count)
        hasPrompts = true
    }

    /// No model that is served has fewer bytes of Base64 to a token: 384 numbers of two bytes each.
    private static let embeddedTokenBytes: Int64 = 1024

    /// Prompts that are tensors already (vLLM): a string of Base64 each, one vector a token.
    private mutating func readEmbeddedPrompts(_ kind: JSONKind) throws {
        guard kind == .array else {
            try takeEmbeddedPrompt()
            return takePrompts(1)
        }
        var count: Int64 = 0
        try scanner.beginArray()
        while try scanner.nextElement() {
            try takeEmbeddedPrompt()
            count += 1
        }
        takePrompts(count)
    }

    private mutating func takeEmbeddedPrompt() throws {
        guard try scanner.kind() == .string else {
            throw ReadingError.wrongType("prompt_embeds", "a string of Base64 or a list of them")
        }
        let tokens = max(1, Int64(try scanner.string().range.count) / Self.embeddedTokenBytes)
        input.takeText(tokens * UsageEstimate.bytesPerToken, isPrompt: true)
    }

    /// An object that stands as text inside a string (Triton's `sampling_parameters`), and counts beside the members
    /// around it.
    private mutating func readInside(
        _ text: JSONText, _ table: RequestTable, _ name: StaticString, into request: inout InferenceRequest
    ) throws {
        var value = text.value(in: body)
        guard !value.allSatisfy(\.isWhitespace) else { return }
        ReadingSteps.add(value.utf8.count)
        let inside = try value.withUTF8 { bytes throws(ReadingError) -> InferenceRequest in
            var inside = InferenceRequest(surface: request.surface)
            inside.lengths = request.lengths
            inside.choiceCount = request.choiceCount
            var reader = RequestReader(body: UnsafeRawBufferPointer(bytes), surface: request.surface)
            do {
                guard try reader.scanner.kind() == .object else {
                    throw ReadingError.wrongType(name.description, "an object of JSON in a string")
                }
                try reader.scanner.beginObject()
                try reader.readMembers(table, of: name.description, into: &inside)
                try reader.scanner.end()
                input.features.formUnion(reader.input.features)
                input.otherTool = input.otherTool ?? reader.input.otherTool
            } catch let error as ReadingError {
                throw error
            } catch {
                throw ReadingError.wrongType(name.description, "an object of JSON in a string")
            }
            return inside
        }
        request.lengths = inside.lengths
        request.choiceCount = inside.choiceCount
        request.restrictedMembers.formUnion(inside.restrictedMembers)
    }

    // MARK: Objects

    private static let streamOptionNames = NameTable(["include_usage", "continuous_usage_stats"])

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
            let isUsage: Bool
            switch RequestReader.streamOptionNames.match(key, in: body) {
            case .none:
                try scanner.skip()
                continue
            case .folds(let index):
                throw ReadingError.otherCase("stream_options.\(RequestReader.streamOptionNames.names[index])")
            case .name(let index): isUsage = index == 0
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
        var isNamed = false
        while let key = try scanner.nextKey() {
            switch RequestReader.tierNames.match(key, in: body) {
            case .none: try scanner.skip()
            case .folds: throw ReadingError.otherCase("serviceTier.type")
            case .name:
                guard !isNamed else { throw ReadingError.givenTwice("serviceTier.type") }
                isNamed = true
                request.serviceTier = try text("type", scanner.kind()).value(in: body)
            }
        }
    }

    private static let tierNames = NameTable(["type"])

    /// Text values become tags; anything else is the engine's business.
    private mutating func readMetadata(
        _ name: StaticString, _ kind: JSONKind, into request: inout InferenceRequest
    ) throws {
        guard kind == .object else { throw ReadingError.wrongType(name.description, "an object") }
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            guard try scanner.kind() == .string, request.tags.count < InferenceRequest.tagsMax else {
                if try scanner.kind() == .string { request.hasMoreTags = true }
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

    // MARK: Scalars

    private mutating func text(_ name: StaticString, _ kind: JSONKind) throws -> JSONText {
        guard kind == .string else { throw ReadingError.wrongType(name.description, "a string") }
        return try scanner.string()
    }

    private mutating func integer(_ name: StaticString, _ kind: JSONKind) throws -> Int64 {
        guard kind == .number, let value = try scanner.number(takesPowers: false) else {
            throw ReadingError.wrongType(name.description, "an integer")
        }
        return value
    }
}
