internal import Metering

/// A change to a body that leaves all its other bytes as they are.
public struct ByteEdit: Hashable, Sendable {
    /// The bytes to leave out; empty to insert.
    public let range: Range<Int>
    public let replacement: [UInt8]
}

/// What a body is changed to ask for.
struct UsageQuestion: OptionSet, Sendable {
    let rawValue: UInt8
    /// `stream_options.include_usage` of streams.
    static let streamOptions = UsageQuestion(rawValue: 1)
    /// `stream_options.continuous_usage_stats` beside it.
    static let continuous = UsageQuestion(rawValue: 2)
    /// `stream_include_usage` of streamed transcriptions.
    static let transcription = UsageQuestion(rawValue: 4)
    /// `parameters.details` of TGI's streams; of plain answers the headers say it all.
    static let details = UsageQuestion(rawValue: 8)
    /// `return_num_input_tokens` and `return_num_output_tokens` of Triton's models.
    static let tokenCounts = UsageQuestion(rawValue: 16)
}

extension InferenceRequest {
    /// The edits of a server that speaks OpenAI's dialect and nothing beside it: its own model name and, for streams,
    /// `include_usage`.
    public func edits(upstreamModel: String) -> [ByteEdit] {
        edits(upstreamModel: upstreamModel, asking: .streamOptions)
    }

    /// The edits, in order and apart from one another, that make the body what the engine should get.
    func edits(upstreamModel: String, asking question: UsageQuestion) -> [ByteEdit] {
        var edits: [ByteEdit] = []
        if let edit = modelEdit(upstreamModel) { edits.append(edit) }
        edits += openedReferences
        if upstreamModel != model { edits += repeatedModels.map { $0.edit(upstreamModel: upstreamModel) } }
        if isStream, question.contains(.streamOptions), hasStreamOptions {
            edits += streamOptionEdits(continuous: question.contains(.continuous))
        }
        if isStream, question.contains(.transcription), surface == .audioTranscriptions {
            edits += transcriptionEdits
        }
        if isStream, question.contains(.details), hasInputs || surface == .tgiGenerate {
            edits += optionEdits(["details"], inParameters: true)
        }
        if question.contains(.tokenCounts) {
            edits += optionEdits(["return_num_input_tokens", "return_num_output_tokens"], inParameters: false)
        }
        return InferenceRequest.inOrder(edits)
    }

    private func modelEdit(_ upstreamModel: String) -> ByteEdit? {
        guard !modelRange.isEmpty, native?.model == nil, upstreamModel != model else { return nil }
        var name: [UInt8] = []
        if case .form = body { name = Array(upstreamModel.utf8) } else { JSONString.append(upstreamModel, to: &name) }
        return ByteEdit(range: modelRange, replacement: name)
    }

    /// The forms that have `stream_options`.
    private var hasStreamOptions: Bool {
        switch surface {
        case .chatCompletions, .completions: true
        // Its containers refuse the option without `stream`, and those of another dialect refuse it at all.
        case .sageMakerInvocations: hasMessages && asksForStream
        default: false
        }
    }

    // MARK: Streams

    private func streamOptionEdits(continuous: Bool) -> [ByteEdit] {
        let all =
            continuous ? #""include_usage":true,"continuous_usage_stats":true"# : #""include_usage":true"#
        switch streamOptions {
        case .absent: return [insertion(#""stream_options":{"# + all + "}")].compactMap { $0 }
        case .null(let range): return [ByteEdit(range: range, replacement: Array("{\(all)}".utf8))]
        case .object(let start, let isEmpty, let usage, let running):
            var missing: [String] = []
            var edits: [ByteEdit] = []
            func ask(_ name: String, _ flag: Flag?) {
                guard let flag else { return missing.append("\"\(name)\":true") }
                if !flag.isTrue { edits.append(ByteEdit(range: flag.range, replacement: Array("true".utf8))) }
            }
            ask("include_usage", usage)
            if continuous { ask("continuous_usage_stats", running) }
            if !missing.isEmpty {
                let text = missing.joined(separator: ",") + (isEmpty ? "" : ",")
                edits.append(ByteEdit(range: start..<start, replacement: Array(text.utf8)))
            }
            return edits
        }
    }

    private var transcriptionEdits: [ByteEdit] {
        if let flag = usageOptions.flags["stream_include_usage"] {
            return flag.isTrue ? [] : [ByteEdit(range: flag.range, replacement: Array("true".utf8))]
        }
        guard case .form(let boundary) = body else {
            return [insertion(#""stream_include_usage":true"#)].compactMap { $0 }
        }
        let part =
            "--\(boundary)\r\ncontent-disposition: form-data; name=\"stream_include_usage\"\r\n\r\ntrue\r\n"
        return [ByteEdit(range: 0..<0, replacement: Array(part.utf8))]
    }

    // MARK: Options

    /// Sets options to `true` where they stand, else in `parameters` where that is an object, else beside it (or in
    /// `parameters` of our own, where the engine knows them only there).
    private func optionEdits(_ names: [String], inParameters: Bool) -> [ByteEdit] {
        var edits: [ByteEdit] = []
        var missing: [String] = []
        for name in names {
            if let flag = usageOptions.flags[name] {
                if !flag.isTrue { edits.append(ByteEdit(range: flag.range, replacement: Array("true".utf8))) }
            } else {
                missing.append("\"\(name)\":true")
            }
        }
        guard !missing.isEmpty else { return edits }
        let text = missing.joined(separator: ",")
        if let start = usageOptions.parametersStart {
            let end = usageOptions.areParametersEmpty ? "" : ","
            edits.append(ByteEdit(range: start..<start, replacement: Array((text + end).utf8)))
        } else if let range = usageOptions.nullParameters {
            edits.append(ByteEdit(range: range, replacement: Array("{\(text)}".utf8)))
        } else if let edit = insertion(inParameters ? "\"parameters\":{\(text)}" : text) {
            edits.append(edit)
        }
        return edits
    }

    /// Members at the start of the body, which may have others.
    private func insertion(_ members: String) -> ByteEdit? {
        guard case .json(let start, let isEmpty) = body else { return nil }
        return ByteEdit(range: start..<start, replacement: Array((members + (isEmpty ? "" : ",")).utf8))
    }

    /// In the order of their places; where two insert at one place, one edit does both.
    private static func inOrder(_ edits: [ByteEdit]) -> [ByteEdit] {
        guard edits.count > 1 else { return edits }
        var ordered: [ByteEdit] = []
        for edit in edits.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            if let last = ordered.last, last.range == edit.range, edit.range.isEmpty {
                ordered[ordered.count - 1] = ByteEdit(
                    range: edit.range, replacement: last.replacement + edit.replacement)
            } else {
                ordered.append(edit)
            }
        }
        return ordered
    }
}
