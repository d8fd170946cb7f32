public import Metering

extension EngineKind {
    /// Whether it keeps files and works through batches of them, as OpenAI's API has them. Of servers that only call
    /// themselves compatible, those that have none say so themselves.
    public var hasBatches: Bool { dialect.serves(.files) && dialect.serves(.batches) }
}

extension Backend {
    /// Where a call about files or batches goes: `rest` follows the place of the files, or of the batches.
    public func target(of surface: Surface, method: String, rest: String, query: String) -> UpstreamTarget {
        let place = dialect.target(
            for: InferenceRequest(surface: surface), upstreamModel: "", backend: self, query: ForwardedQuery(own: query)
        )
        return UpstreamTarget(method: method, path: place.path + rest, query: place.query)
    }
}
