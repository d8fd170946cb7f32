/// What a line of a batch asks for, as far as its answer does not say it: the size that one without usage is estimated
/// by, and the model that makes pictures for it.
public struct BatchLineSize: Hashable, Sendable {
    let input: InputMeasure
    let promptCount: Int64
    let choiceCount: Int64
    let pictureModel: String?

    init(_ request: InferenceRequest) {
        input = request.input
        promptCount = request.promptCount
        choiceCount = request.choiceCount
        pictureModel = request.pictureModel
    }

    /// A line of the file that was handed in, and what its answer is found by; nil for one that cannot be read.
    public static func read(_ line: UnsafeRawBufferPointer) -> (customID: String, size: BatchLineSize)? {
        guard let line = try? BatchInputLine(reading: line), let size = line.size else { return nil }
        return (line.customID, size)
    }
}

extension InferenceRequest {
    /// The same request as of this size.
    public mutating func take(_ size: BatchLineSize) {
        input = size.input
        promptCount = size.promptCount
        choiceCount = size.choiceCount
        pictureModel = size.pictureModel
    }
}
