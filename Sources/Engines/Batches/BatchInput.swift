internal import Identity
public import Metering

/// A file of requests for a batch, as OpenAI's Batch API has them: a JSON object a line, with `custom_id`, `method`,
/// `url` and `body`. All lines ask for the same model in the same form.
public struct BatchInput: Sendable {
    /// The model as the lines name it.
    public let model: String
    /// The form that all lines ask in.
    public let surface: Surface
    public let lineCount: Int
    /// What any of the lines asks for beside text.
    public let features: RequestedFeatures
    /// A tool that any of them asks for and that is in no list of allowed ones.
    public let otherTool: String?
    /// The models that tools of theirs make pictures with.
    public let pictureModels: Set<String>
    /// Where the lines name the model, with its quotes.
    private let modelRanges: [Range<Int>]
    /// Any line as far as its members matter that the gateway lets no client set.
    private let anyLine: InferenceRequest

    /// Lines of one file.
    public static let linesMax = 50_000
    /// The longest line, in bytes.
    public static let lineBytesMax = 4 << 20
    /// The longest `custom_id`, in bytes.
    public static let customIDBytesMax = 512

    /// The forms that batches are made of: answers that end with their usage, in JSON.
    public static let surfaces: [Surface] = [
        .chatCompletions, .completions, .embeddings, .responses, .imageGenerations,
    ]

    /// The form that a line's `url`, or a batch's `endpoint`, means.
    public static func surface(ofPath path: String) -> Surface? {
        surfaces.first { OpenAIDialect.path(of: $0) == path }
    }

    /// Reads a whole file. Throws what is wrong with the first line that is no good, its number in front.
    public init(reading file: UnsafeRawBufferPointer) throws(RequestError) {
        var first: (model: String, surface: Surface)?
        var ranges: [Range<Int>] = []
        var seen: Set<SHA256Digest> = []
        var features: RequestedFeatures = []
        var otherTool: String?
        var pictureModels: Set<String> = []
        var restricted = RestrictedMembers()
        var number = 0
        var start = 0
        while start < file.count {
            let end = file.firstIndex(of: 0x0A, from: start)
            defer { start = end + 1 }
            number += 1
            let range = start..<end
            ReadingSteps.add(range.count)
            if file[range].allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            guard ranges.count < BatchInput.linesMax else {
                throw RequestError(
                    message: "The file has more than \(BatchInput.linesMax) lines. Send several files.",
                    parameter: "file", code: "too_many_lines")
            }
            do throws(RequestError) {
                let line = try BatchInputLine(reading: UnsafeRawBufferPointer(rebasing: file[range]))
                guard seen.insert(SHA256Digest(of: line.customID)).inserted else {
                    throw BatchInput.refusal(
                        "The custom_id '\(line.customID.prefix(100))' stands in an earlier line, too. Answers are "
                            + "told apart by it: give each line its own.", "custom_id", "duplicate_custom_id")
                }
                if let first {
                    guard first.model == line.model else {
                        throw BatchInput.refusal(
                            "The model '\(line.model.prefix(100))' is not that of the first line "
                                + "('\(first.model.prefix(100))'). A file asks for one model: send several files.",
                            "body.model", "mismatched_model")
                    }
                    guard first.surface == line.surface else {
                        throw BatchInput.refusal(
                            "The url is not that of the first line. All lines of a file go to one API: send several "
                                + "files.", "url", "mismatched_url")
                    }
                } else {
                    first = (line.model, line.surface)
                }
                features.formUnion(line.features)
                otherTool = otherTool ?? line.otherTool
                if let name = line.size?.pictureModel { pictureModels.insert(name) }
                restricted.formUnion(line.restricted)
                ranges.append(start + line.modelRange.lowerBound..<start + line.modelRange.upperBound)
            } catch {
                throw RequestError(
                    message: "Line \(number): \(error.message)", parameter: error.parameter, code: error.code)
            }
        }
        guard let first else {
            throw RequestError(
                message: "The file has no lines. Send one JSON object a line, each with custom_id, method, url and "
                    + "body.", parameter: "file", code: "empty_file")
        }
        (model, surface) = first
        lineCount = ranges.count
        self.features = features
        self.otherTool = otherTool
        self.pictureModels = pictureModels
        modelRanges = ranges
        var anyLine = InferenceRequest(surface: surface)
        anyLine.restrictedMembers = restricted
        self.anyLine = anyLine
    }

    /// The first member of any line that one of these systems would take for more than the gateway allows.
    public func restricted(on kinds: some Sequence<EngineKind>) -> RestrictedMember? { anyLine.restricted(on: kinds) }

    /// The file with another name for the model: the backend's own in what goes there, the client's in what comes back.
    public func bytes(of file: UnsafeRawBufferPointer, naming name: String) -> [UInt8] {
        guard name != model else { return Array(file) }
        let name = JSONString.bytes(of: name)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(file.count + modelRanges.count * max(0, name.count - (modelRanges.first?.count ?? 0)))
        var start = 0
        for range in modelRanges {
            bytes.append(contentsOf: file[start..<range.lowerBound])
            bytes.append(contentsOf: name)
            start = range.upperBound
        }
        bytes.append(contentsOf: file[start...])
        return bytes
    }

    fileprivate static func refusal(_ message: String, _ parameter: String, _ code: String) -> RequestError {
        RequestError(message: message, parameter: parameter, code: code)
    }
}

/// One request of a batch.
struct BatchInputLine {
    private(set) var customID = ""
    private(set) var model = ""
    private(set) var surface = Surface.chatCompletions
    private(set) var features: RequestedFeatures = []
    private(set) var otherTool: String?
    /// Where its name stands in the line, with its quotes.
    private(set) var modelRange = 0..<0
    private(set) var size: BatchLineSize?
    private(set) var restricted = RestrictedMembers()

    init(reading line: UnsafeRawBufferPointer) throws(RequestError) {
        guard line.count <= BatchInput.lineBytesMax else {
            throw BatchInput.refusal(
                "It is longer than \(BatchInput.lineBytesMax) bytes. Send less at once.", "file", "line_too_long")
        }
        guard UTF8Check.isValid(line) else {
            throw BatchInput.refusal("It is not valid UTF-8. Send JSON encoded as UTF-8.", "file", "invalid_json")
        }
        var members: [String: Range<Int>] = [:]
        var folded: StaticString?
        do throws(JSONScanError) {
            var scanner = JSONScanner(line)
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let value = try scanner.skip()
                switch BatchInputLine.names.match(key, in: line) {
                case .name(let index):
                    let name = BatchInputLine.names.names[index].description
                    members[name] = members[name] == nil ? value : 0..<0
                case .folds(let index): folded = folded ?? BatchInputLine.names.names[index]
                case .none: break
                }
            }
            try scanner.end()
        } catch {
            throw BatchInput.refusal(
                "It is not a JSON object: \(error.problem.rawValue) at byte \(error.offset).", "file", "invalid_json")
        }
        if let folded {
            throw BatchInput.refusal(
                "The case of field names matters: write '\(folded)'.", folded.description, "unknown_field")
        }
        customID = try text("custom_id", in: members, of: line)
        guard (1...BatchInput.customIDBytesMax).contains(customID.utf8.count) else {
            throw BatchInput.refusal(
                "custom_id must have 1 to \(BatchInput.customIDBytesMax) bytes.", "custom_id", "invalid_custom_id")
        }
        guard try text("method", in: members, of: line) == "POST" else {
            throw BatchInput.refusal("The method must be POST.", "method", "invalid_method")
        }
        let url = try text("url", in: members, of: line)
        guard let surface = BatchInput.surface(ofPath: url) else {
            let paths = BatchInput.surfaces.map { OpenAIDialect.path(of: $0) }.joined(separator: ", ")
            throw BatchInput.refusal(
                "The url '\(url.prefix(100))' is not one that batches have here. Use one of \(paths).", "url",
                "invalid_url")
        }
        self.surface = surface
        try readBody(members["body"] ?? 0..<0, of: line)
    }

    private static let names = NameTable(["custom_id", "method", "url", "body"])

    private func text(
        _ name: String, in members: [String: Range<Int>], of line: UnsafeRawBufferPointer
    ) throws(RequestError) -> String {
        var scanner = JSONScanner(line, offset: members[name]?.lowerBound ?? line.count)
        guard members[name]?.isEmpty == false, let text = try? scanner.string() else {
            throw BatchInput.refusal(
                "It needs the field '\(name)' once, a string.", name, "missing_required_parameter")
        }
        return text.value(in: line)
    }

    private mutating func readBody(_ range: Range<Int>, of line: UnsafeRawBufferPointer) throws(RequestError) {
        guard !range.isEmpty, line[range.lowerBound] == UInt8(ascii: "{") else {
            throw BatchInput.refusal(
                "It needs the field 'body' once, the JSON object of its request.", "body",
                "missing_required_parameter")
        }
        let request: InferenceRequest
        do throws(RequestError) {
            request = try InferenceRequest(
                reading: UnsafeRawBufferPointer(rebasing: line[range]), surface: surface,
                contentType: "application/json")
        } catch {
            throw RequestError(
                message: error.message, parameter: error.parameter.map { "body." + $0 }, code: error.code)
        }
        guard !request.isStream else {
            throw BatchInput.refusal(
                "Answers of a batch are not streamed. Leave out 'stream'.", "body.stream", "invalid_stream")
        }
        guard OpenAIDialect.tier(named: request.serviceTier) == "standard" else {
            throw BatchInput.refusal(
                "Batches are a service tier of their own. Leave out 'service_tier'.", "body.service_tier",
                "tier_not_available")
        }
        guard !request.isBackground else {
            throw BatchInput.refusal(
                "Lines of a batch are worked through later in any case. Leave out 'background'.", "body.background",
                "background_not_available")
        }
        restricted = request.restrictedMembers
        guard !request.bodyMeasures.searchesAlways else {
            throw BatchInput.refusal(
                "A search that is made for every answer is not counted in a batch, so it is not available there. Leave "
                    + "out 'web_search_options', 'plugins' and the tool 'web_search'.", "body", "field_not_available")
        }
        if let reference = request.references.first {
            throw BatchInput.refusal(
                "Lines of a batch cannot name what an engine keeps. Send the content in place of "
                    + "'\(reference.id.prefix(100))'.", "body." + reference.field, "unknown_object")
        }
        model = request.model
        features = request.features
        otherTool = request.otherTool
        size = BatchLineSize(request)
        modelRange = range.lowerBound + request.modelRange.lowerBound..<range.lowerBound + request.modelRange.upperBound
    }
}

extension UnsafeRawBufferPointer {
    /// The first place of this byte at or after `start`; the end where there is none.
    fileprivate func firstIndex(of byte: UInt8, from start: Int) -> Int {
        self[start...].firstIndex(of: byte) ?? count
    }
}
