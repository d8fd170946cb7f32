/// The tools of a request that make pictures, and by which model: an answer says what they came to together, at one
/// price.
struct PictureTools {
    /// The model that they name; nil where they leave it to the engine.
    private(set) var model: String?
    private(set) var areOfSeveralModels = false
    private var isEmpty = true

    mutating func take(_ tool: RequestedTool) {
        if tool.hasSeveralModels || !isEmpty && tool.model != model { areOfSeveralModels = true }
        model = model ?? tool.model
        isEmpty = false
    }

    static let severalModels = RequestError(
        message: "Tools of one request make pictures with one model. Give all of them the same 'model', or none.",
        parameter: "tools", code: "several_picture_models")
}
