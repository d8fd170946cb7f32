import Engines
import Routing
import Testing

struct TryPolicyTests {
    private let policy = TryPolicy(triesMax: 3)

    private func triesNext(
        _ failure: TryFailure, made: Int = 1, isAnswerBegun: Bool = false, isClientGone: Bool = false
    ) -> Bool {
        policy.triesNext(after: failure, triesMade: made, isAnswerBegun: isAnswerBegun, isClientGone: isClientGone)
    }

    @Test(arguments: [TryFailure.connect, .connectTimeout, .broken, .silence])
    func `what broke on the way is tried elsewhere, and counts against the backend`(failure: TryFailure) {
        #expect(triesNext(failure) && TryPolicy.verdict(on: failure) == .failure)
    }

    @Test func `no more tries than the model has, none once an answer began, none for a client that left`() {
        #expect(triesNext(.connect, made: 2) && !triesNext(.connect, made: 3))
        #expect(!triesNext(.broken, isAnswerBegun: true) && !triesNext(.broken, isClientGone: true))
    }

    @Test func `a client's mistake is one everywhere, and shows that the backend works`() {
        let failure = TryFailure.refused(EngineRefusal(meaning: .clientMistake))
        #expect(!triesNext(failure) && TryPolicy.verdict(on: failure) == .success)
    }

    @Test func `a backend that lacks the model is passed over without being held broken`() {
        let failure = TryFailure.refused(EngineRefusal(meaning: .notFound))
        #expect(triesNext(failure) && TryPolicy.verdict(on: failure) == .neutral)
    }

    @Test func `a used up quota leaves the backend alone for as long as it says, or a second`() {
        let said = EngineRefusal(meaning: .upstreamQuota, retryAfterMilliseconds: 20_000)
        #expect(TryPolicy.verdict(on: .refused(said)) == .coolDown(milliseconds: 20_000))
        #expect(
            TryPolicy.verdict(on: .refused(EngineRefusal(meaning: .upstreamQuota))) == .coolDown(milliseconds: 1000))
        #expect(triesNext(.refused(said)))
    }

    @Test func `an overloaded backend counts as failing, unless it says when to come again`() {
        #expect(TryPolicy.verdict(on: .refused(EngineRefusal(meaning: .overloaded))) == .failure)
        let said = EngineRefusal(meaning: .overloaded, retryAfterMilliseconds: 300)
        #expect(TryPolicy.verdict(on: .refused(said)) == .coolDown(milliseconds: 300))
    }

    @Test(arguments: [EngineRefusal.Meaning.unauthorised, .modelError, .timeout, .unavailable])
    func `what is the backend's fault counts against it and is tried elsewhere`(meaning: EngineRefusal.Meaning) {
        let failure = TryFailure.refused(EngineRefusal(meaning: meaning))
        #expect(triesNext(failure) && TryPolicy.verdict(on: failure) == .failure)
    }

    @Test func `a limit of the gateway's own says nothing about the backend and ends the request`() {
        #expect(!triesNext(.gatewayLimit) && TryPolicy.verdict(on: .gatewayLimit) == .neutral)
    }
}
