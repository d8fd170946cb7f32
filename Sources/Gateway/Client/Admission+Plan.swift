import Accounts
import Engines
import Identity
import Metering
import Pricing

/// What a key's plan sells. What it has no price for could never be billed, and would hold up its account's
/// month: so it is refused, unless the plan says `unpriced: suspend`.
extension Admission {
    /// The version that prices what the key asks for now; nil where nothing is to be checked: the plan serves what it
    /// has no price for, or nobody told this gateway of it.
    func sellingVersion(for grant: KeyGrant) throws(APIError) -> PlanVersion? {
        guard let history = snapshot.prices.history(of: grant.plan) else { return nil }
        let instant = now.advanced(byMilliseconds: grant.clockOffsetMilliseconds)
        // Nobody knows what a version sells that does not read: requests go on, and their usage is held.
        if history.unreadableVersion(at: instant, under: grant.clock) != nil { return nil }
        guard let version = history.version(at: instant, under: grant.clock) else {
            guard history.versions.first?.unpriced == .refuse else { return nil }
            throw .planNotInForce(grant.plan)
        }
        return version.unpriced == .refuse ? version : nil
    }

    /// Refuses a request for what the plan does not sell: its tier, its model in that tier, the kind of answer, or a
    /// kind of input, output or tool. Returns what it sells of the model; nil where nothing is checked.
    func checkSold(
        _ request: InferenceRequest, model: CatalogueModel, tier: String, grant: KeyGrant
    ) throws(APIError) -> MeterSet? {
        guard tier == ServiceTier.standard || grant.tiers.contains(tier) else {
            throw .tierNotSold(String(tier.prefix(100)), sold: grant.tiers)
        }
        guard request.native?.isInference ?? true, let version = try sellingVersion(for: grant) else { return nil }
        guard let sold = version.sold(priceKey: model.priceKey, tier: tier) else {
            throw .modelNotSold(request.model, model, tier: tier == ServiceTier.standard ? nil : tier)
        }
        try checkSold(request.surface, isStream: request.isStream, sold, of: model)
        try checkSold(request.features, sold, of: model, otherTool: request.otherTool)
        if let name = request.pictureModel { try checkSold(tool: name, version, model: model, grant: grant) }
        return sold
    }

    /// Refuses a tool that makes pictures with a model of its own which the plan does not sell.
    private func checkSold(
        tool name: String, _ version: PlanVersion, model: CatalogueModel, grant: KeyGrant
    ) throws(APIError) {
        guard let pictures = snapshot.catalogue.model(named: name), pictures.isAllowed(for: grant.tenantID),
            version.sells(priceKey: pictures.priceKey)
        else { throw .notSold("a tool with the model '\(name.prefix(200))'", by: model, parameter: "tools") }
    }

    /// Refuses a batch of what the plan does not sell in batches. `features`: what any of its lines asks for.
    func checkSoldInBatches(
        _ surface: Surface, features: RequestedFeatures = [], otherTool: String? = nil,
        pictureModels: Set<String> = [], model: CatalogueModel, grant: KeyGrant
    ) throws(APIError) {
        guard let version = try sellingVersion(for: grant) else { return }
        guard let sold = version.sold(priceKey: model.priceKey, tier: version.batchTier) else {
            throw .modelNotSold(model.publicName, model, tier: ServiceTier.batch)
        }
        try checkSold(surface, isStream: false, sold, of: model)
        try checkSold(features, sold, of: model, otherTool: otherTool)
        for name in pictureModels.sorted() { try checkSold(tool: name, version, model: model, grant: grant) }
    }

    /// Whether the plan sells the model in any tier.
    func sells(_ model: CatalogueModel, to grant: KeyGrant) -> Bool {
        do throws(APIError) {
            return try sellingVersion(for: grant)?.sells(priceKey: model.priceKey) ?? true
        } catch {
            return false
        }
    }

    private func checkSold(
        _ surface: Surface, isStream: Bool, _ sold: MeterSet, of model: CatalogueModel
    ) throws(APIError) {
        let (all, any) = surface.meters(isStream: isStream)
        guard sold.isSuperset(of: all), any.isEmpty || !sold.isDisjoint(with: any) else {
            throw .notSold("answers of this kind (\(surface.rawValue))", by: model, parameter: "model")
        }
    }

    private func checkSold(
        _ features: RequestedFeatures, _ sold: MeterSet, of model: CatalogueModel, otherTool: String?
    ) throws(APIError) {
        if features.isEmpty { return }
        for (feature, name, parameter) in RequestedFeatures.all where features.contains(feature) {
            guard sold.isDisjoint(with: feature.meters) else { continue }
            let tool = feature == .otherTool ? otherTool.map { "the tool '\($0)'" } : nil
            throw .notSold(tool ?? name, by: model, parameter: parameter)
        }
    }
}

extension Surface {
    /// The meters that each answer has, and those of which it has one at least: which one, the engine decides.
    fileprivate func meters(isStream: Bool) -> (all: MeterSet, any: MeterSet) {
        switch self {
        case .chatCompletions, .completions, .responses, .messages, .geminiGenerate, .bedrockConverse, .tgiGenerate:
            (Surface.text, [])
        case .embeddings, .geminiEmbed: (MeterSet(.inputTokens), [])
        case .rerank: ([], Surface.ranking)
        case .imageGenerations: ([], Surface.pictures)
        case .audioTranscriptions: ([], Surface.listening)
        // A whole answer is sound and nothing else: no engine says its tokens.
        case .audioSpeech: ([], isStream ? Surface.streamedSpeech : Surface.speech)
        // Any model may stand behind these; and a prompt is counted for nothing.
        case .tritonGenerate, .replicatePredictions, .bedrockInvoke, .sageMakerInvocations, .countTokens, .files,
            .batches:
            ([], [])
        }
    }

    private static let text = MeterSet(.inputTokens, .outputTokens)
    private static let ranking = MeterSet(.searches, .inputTokens)
    private static let pictures = MeterSet(.images, .outputTokens, .outputImageTokens)
    private static let listening = MeterSet(.audioMilliseconds, .inputTokens, .inputAudioTokens)
    private static let speech = MeterSet(.characters, .audioMilliseconds)
    private static let streamedSpeech = MeterSet(
        .characters, .audioMilliseconds, .inputTokens, .outputTokens, .outputAudioTokens)
}

extension RequestedFeatures {
    /// The meters of which one must have a price. A single feature's.
    fileprivate var meters: MeterSet {
        switch self {
        case .inputPictures: RequestedFeatures.inputPictureMeters
        case .inputSound: RequestedFeatures.inputSoundMeters
        case .inputVideo: RequestedFeatures.inputVideoMeters
        case .outputSound: RequestedFeatures.outputSoundMeters
        case .outputPictures: RequestedFeatures.outputPictureMeters
        case .webSearch: RequestedFeatures.searchMeters
        // Nothing counts them, so no plan can sell them.
        default: []
        }
    }

    private static let inputPictureMeters = MeterSet(.inputImageTokens)
    private static let inputSoundMeters = MeterSet(.inputAudioTokens, .audioMilliseconds)
    private static let inputVideoMeters = MeterSet(.inputVideoTokens)
    private static let outputSoundMeters = MeterSet(.outputAudioTokens, .audioMilliseconds)
    private static let outputPictureMeters = MeterSet(.outputImageTokens, .images)
    private static let searchMeters = MeterSet(.searches)
}

extension APIError {
    private static func notInPlan(_ message: String, parameter: String) -> APIError {
        APIError(
            status: 403, type: "permission_error", code: "not_in_plan", message: message, parameter: parameter)
    }

    static func tierNotSold(_ tier: String, sold: [String]) -> APIError {
        APIError(
            status: 403, type: "permission_error", code: "tier_not_available",
            message: "Your plan does not sell the service tier '\(tier)'. It sells: \(sold.joined(separator: ", ")).",
            parameter: "service_tier")
    }

    fileprivate static func modelNotSold(_ name: String, _ model: CatalogueModel, tier: String?) -> APIError {
        let name = (name.isEmpty ? model.publicName : name).prefix(200)
        let place =
            switch tier {
            case nil: ""
            case ServiceTier.batch: " in batches"
            case let tier?: " in the service tier '\(tier.prefix(100))'"
            }
        return notInPlan(
            "Your plan does not sell the model '\(name)'\(place). GET /v1/models lists the models that it sells.",
            parameter: tier == nil ? "model" : tier == ServiceTier.batch ? "model" : "service_tier")
    }

    static func modelNotSold(_ name: String, _ model: CatalogueModel) -> APIError {
        modelNotSold(name, model, tier: nil)
    }

    fileprivate static func notSold(_ what: String, by model: CatalogueModel, parameter: String) -> APIError {
        notInPlan(
            "Your plan does not sell \(what) with the model '\(model.publicName.prefix(200))'. Ask your administrator "
                + "for a plan that does, or leave it out.", parameter: parameter)
    }

    fileprivate static func planNotInForce(_ plan: String) -> APIError {
        notInPlan("No version of your plan '\(plan)' is in force yet.", parameter: "model")
    }
}
