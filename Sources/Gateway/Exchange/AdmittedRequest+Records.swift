import Accounts
import Engines
import Identity
import Metering
import Routing
import UsageJournal

extension AdmittedRequest {
    /// The records of a request just accepted.
    func entry(id: RequestID, attemptID: AttemptID, on route: ModelRoute) -> UsageEntry {
        let record = RequestRecord(
            id: id, accountID: grant.accountID, tenantID: grant.tenantID, projectID: grant.projectID,
            keyID: grant.keyID, subscriptionID: subscriptionID, surface: request.surface,
            modelRequested: request.model, model: model.publicName,
            tierRequested: tier, isStream: request.isStream, tags: tags,
            clockOffsetMilliseconds: grant.clockOffsetMilliseconds, notes: notes)
        return UsageEntry(request: record, attempts: [attempt(id: attemptID, number: 1, on: route)])
    }

    /// What it will come to, as far as one can tell before: for the choice by price, and of backends with room for it.
    var size: RouteChooser.Size {
        let input = request.input.estimatedTokens
        let prompt = UsageEstimate.tokensAtLeast(inTextBytes: request.input.promptBytes)
        let (least, isOver) = prompt.addingReportingOverflow(max(0, request.outputTokensMax ?? 0))
        return RouteChooser.Size(
            inputTokens: input, outputTokens: request.outputTokensMax ?? max(1, input / 3),
            tokensAtLeast: isOver ? .max : least)
    }

    /// The record of a try on a route.
    func attempt(id: AttemptID, number: Int32, on route: ModelRoute) -> AttemptRecord {
        var attempt = AttemptRecord(
            id: id, number: number, backend: route.backend.name, upstreamModel: route.upstreamName,
            priceKey: model.priceKey, hardware: route.backend.hardware, quantisation: route.backend.quantisation)
        attempt.region = route.backend.settings.region
        return attempt
    }
}
