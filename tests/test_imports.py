"""What is imported: the names of the first edition from where they were, and nothing that is not needed yet."""

import importlib
import json
import subprocess
import sys

import numpy as np
import pytest

import xembed

# What the first edition listed as public, by package.
NAMES = {
    "xembed": """
        __version__ attribution datasets defsent depth encoders geco isotropy load_encoder read_result reports shift
    """,
    "xembed.attribution": """
        Attributions Axes AxesExplanation DeletionTrust Depth DepthExplanation EmbeddingTarget EncodedWords
        GENDERED_WORDS Logit METHODS Method MethodHealth MethodOptions MethodOutput MethodStatus MethodTrust
        NearestSimilarity PairShapley PlantedExample Projection ScoredModel ShiftComponent ShiftExample
        ShiftExplanation ShiftTerm Similarity SimilarityExplanation TrustResult WordEncoder agreement aopc
        comprehensiveness explain explain_axes explain_depth explain_shift explain_similarity faithfulness make_axes
        method_health pair_shapley predict_by_first_word randomisation_similarity randomise shapley_values stability
        sufficiency trust_check used_words
    """,
    "xembed.datasets": """
        Choice Dictionary Lexicon MadePairs PairedSentences STSPairs TextTable Undecided WordContext check_table_path
        fetch_geco load_corpora load_dictionary load_geco load_gendered_pairs load_lexicon load_planted_vocabulary
        load_sts make_pairs read_embeddings read_texts write_table
    """,
    "xembed.defsent": """
        DefSent DefSentPlus DefSentResult PromptEncoder TrainingRound TrainingStep
    """,
    "xembed.depth": """
        OutlierResult TTEDepth find_outliers local_depth moment_error select select_examples tte_depth
    """,
    "xembed.encoders": """
        Encoder Encoding LayerEmbeddings cache_info clear_cache describe_encoder encode_layers encode_texts
        load_encoder truncate
    """,
    "xembed.geco": """
        Benchmark BenchmarkResult FormDifference Interval LeaderboardRow METRICS Metric NON_BINARY_PROMPT
        OneLayerAttention OneLayerConfig PROFILES PROMPT PairedDifference PairedShift Plan PredictionGap
        PseudoLogLikelihood Recipe SCHEMES Scheme SchemeRow Score TrainedModel TrainingRecord WordCooccurrence
        above_chance auprc auroc chance clustered_interval evaluate gini holm load_masked_lm load_model
        make_classifier make_model make_one_layer mass_accuracy paired_difference paired_shift pointing_game
        positive_mass_accuracy prediction_gap pseudo_log_likelihood rank_accuracy reference_attributions
        reference_metrics save_model score_rows top_k_precision train trainable_parameters word_cooccurrence zero_shot
    """,
    "xembed.isotropy": """
        AllButTheTop ClusterIsotropy CorrectionRow CorrectionsResult CosineHistogram Diagnosis Gain Hub HubnessResult
        ICAProjection IsotropyResult LayerProfile LayerRow Measure NeighborOverlap OutlierDimensions ProbeResult
        STSCorrelation STSResult Standardize Whitening WrappedEncoder alignment average_cosine compare_corrections
        default_corrections diagnose effective_rank evaluate_sts hubness intrinsic_dimension isoscore layer_profile
        linear_probe load_correction measure neighbor_overlap outlier_dimensions participation_ratio
        partition_isotropy rankme uniformity wrap
    """,
    "xembed.reports": """
        check_report_path compare_results render_page write_combined write_comparison write_report
    """,
    "xembed.shift": """
        CoverageResult DriftResult Facet ManyResult RankSumResult Region RegionsResult SelfCheck ShiftResult
        SurfaceResult TermsResult TestResult classifier_test compare_corpora compare_many compare_surface coverage
        distinguishing_terms drift_over_time energy_test knn_test mean_test mmd_test rank_sum_test tail_test
        what_shifted
    """,
}

HEAVY = ("torch", "transformers", "sentence_transformers", "captum", "sklearn", "pandas", "pyarrow", "umap", "plotly")


@pytest.mark.parametrize("package", NAMES)
def test_names_of_the_first_edition_are_where_they_were(package):
    module = importlib.import_module(package)
    missing = [name for name in NAMES[package].split() if not hasattr(module, name)]
    assert not missing
    assert {name for name in NAMES[package].split() if name[0] != "_"} <= set(dir(module))


def loaded(code, *arguments):
    """Return the modules that a new interpreter has loaded after ``code``."""
    code += "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_packages_loads_no_model_library():
    modules = loaded("import importlib\n" + "".join(f"import {package}\n" for package in NAMES))
    assert set(NAMES) <= modules
    assert not modules & {*HEAVY, "scipy", "jinja2", "typer"}


def test_a_result_is_read_without_what_made_it(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 4))
    path = tmp_path / "result.json"
    xembed.shift.compare_corpora(X[:20], X[20:]).to_json(path)
    modules = loaded("import sys, xembed\nprint(xembed.read_result(sys.argv[1]).verdict, file=sys.stderr)", str(path))
    assert "xembed.shift" in modules
    assert not sorted(modules & {*HEAVY, "scipy.stats"})
